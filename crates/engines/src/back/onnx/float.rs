//! The float model: the reference that everything is compared with.

use std::collections::BTreeMap;
use std::path::Path;

use autoneural_onnx::{GraphProto, TensorProto, encode};

use super::proto::{DataType, model, small_tensor, stored_tensor, value_info, write};
use super::{DataWriter, nodes};
use autoneural_base::error::Result;
use autoneural_core::ir::{Constant, Graph, Value, ValueId};
use autoneural_core::partition::Partition;
use autoneural_core::passes::Frozen;

/// Offset of a constant's elements in the data file, in bytes.
pub type ConstantPlace = u64;

/// Writes the float model of a partition to `path` and appends its weights to `data`. Returns the place of every
/// constant.
///
/// # Errors
/// A file cannot be written, or an operator has no form in ONNX, which is a defect.
pub fn emit_float(
    partition: &Partition,
    path: &Path,
    data: &mut DataWriter,
) -> Result<BTreeMap<String, ConstantPlace>> {
    let mut places = BTreeMap::new();
    let made = graph(&partition.graph, |value, constant| {
        // Every constant goes to the data file, small ones too: later stages read it from there.
        let offset = data.append_constant(constant)?;
        places.insert(value.name.clone(), offset);
        Ok(stored(value, offset, data.name()))
    })?;
    write(&model(made), path)?;
    Ok(places)
}

/// Writes a graph as it was built to `path`. Constants that the frozen graphs also have are read from `data`; the
/// others are appended to `own`.
///
/// # Errors
/// As for [`emit_float`].
pub fn emit_as_built(as_built: &Frozen, path: &Path, data: &DataWriter, own: &mut DataWriter) -> Result<()> {
    let made = graph(as_built, |value, constant| match data.place_of(constant) {
        Some(offset) => Ok(stored(value, offset, data.name())),
        None => {
            let offset = own.append_constant(constant)?;
            Ok(stored(value, offset, own.name()))
        }
    })?;
    write(&model(made), path)
}

/// The float model of a graph in one piece, with all constants in it: for graphs of few nodes.
///
/// # Errors
/// An operator has no form in ONNX, which is a defect.
pub fn float_bytes(own: &Graph) -> Result<Vec<u8>> {
    let made = graph(own, |value, constant| {
        let kind = DataType::of_element(value.element);
        Ok(small_tensor(&value.name, kind, &value.shape, constant.to_le_bytes().to_vec()))
    })?;
    Ok(encode(&model(made)))
}

/// The tensor of a constant in a data file.
fn stored(value: &Value, offset: u64, data: &str) -> TensorProto {
    let bytes = value.element.bytes() * value.shape.iter().product::<usize>();
    stored_tensor(&value.name, DataType::of_element(value.element), &value.shape, offset, bytes, data)
}

/// The float model of a graph; `store` gives the tensor of a constant.
///
/// # Errors
/// Those of `store`, and a graph that was not legalized.
pub(crate) fn graph(
    graph: &Graph,
    mut store: impl FnMut(&Value, &Constant) -> Result<TensorProto>,
) -> Result<GraphProto> {
    let info = |&id: &ValueId| {
        let value = graph.value(id);
        value_info(&value.name, DataType::of_element(value.element), &value.shape)
    };
    let mut made = GraphProto {
        name: graph.name.clone(),
        input: graph.inputs().iter().map(info).collect(),
        output: graph.outputs().iter().map(info).collect(),
        ..GraphProto::default()
    };
    for (_, value) in graph.values() {
        if let Some(constant) = value.constant() {
            made.initializer.push(store(value, constant)?);
        }
    }
    for node in graph.nodes() {
        let names = |ids: &[ValueId]| ids.iter().map(|&id| graph.value(id).name.clone()).collect();
        let shapes: Vec<_> = node.inputs.iter().map(|&id| &graph.value(id).shape).collect();
        let (nodes, extra) = nodes::emit(node, &shapes, names(&node.inputs), names(&node.outputs))?;
        made.node.extend(nodes);
        made.initializer.extend(extra);
    }
    Ok(made)
}
