//! Names of values in quantized models.

use autoneural_core::ir::{Graph, ValueId};

/// Name of what a node reads of a value.
pub(crate) fn read_name(graph: &Graph, id: ValueId) -> String {
    let value = graph.value(id);
    if value.element.is_real() { format!("{}/dq", value.name) } else { value.name.clone() }
}

/// Name of the float that a node makes.
pub(crate) fn float_name(graph: &Graph, id: ValueId) -> String {
    let value = graph.value(id);
    let is_border = value.element.is_real() && graph.outputs().contains(&id);
    if is_border { format!("{}/float", value.name) } else { value.name.clone() }
}
