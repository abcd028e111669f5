//! Products with weights that are read late, a panel of columns at a time.
//!
//! What is made of a panel and then let go, its numbers and their copy in tract's order, is so little that the allocator
//! keeps the memory for the next panel. For whole weights the system fills new pages with zeros in each run, which took a
//! quarter of the time of calibrating a language model.

use std::collections::{HashMap, HashSet};

use autoneural_onnx::{GraphProto, NodeProto};

use crate::back::onnx::{DataType, axis, node, value_info};
use autoneural_core::ir::{Constant, ElementType};

/// Elements of a panel: some megabytes of float32, which caches and allocators hold.
const PANEL: usize = 1 << 20;
/// Columns of a panel are a multiple of this, as are those of the blocks in which products are computed.
const COLUMNS: usize = 64;

/// Replaces products with these weights by products with panels of their columns, side by side, and gives the weights
/// with panels in the places of those. The numbers of the products stay the same: each is computed from its own column.
pub(super) fn in_panels(graph: &mut GraphProto, weights: Vec<(String, Constant)>) -> Vec<(String, Constant)> {
    let of_others = graph.node.iter().filter(|node| node.op_type != "MatMul").flat_map(|node| &node.input);
    let of_others: HashSet<&str> = of_others.map(String::as_str).collect();
    let mut whole = Vec::new();
    let mut parts: HashMap<String, Vec<(String, Constant)>> = HashMap::new();
    for (name, weight) in weights {
        match panels(&name, &weight).filter(|_| !of_others.contains(name.as_str())) {
            Some(panels) => {
                parts.insert(name, panels);
            }
            None => whole.push((name, weight)),
        }
    }
    graph.input.retain(|input| !parts.contains_key(&input.name));
    let float = DataType::of_element(ElementType::F32);
    graph.input.extend(parts.values().flatten().map(|(name, panel)| value_info(name, float, panel.shape())));
    let nodes = std::mem::take(&mut graph.node);
    graph.node = nodes
        .into_iter()
        .flat_map(|node| match node.input.get(1).and_then(|weight| parts.get(weight)) {
            Some(panels) => side_by_side(node, panels),
            None => vec![node],
        })
        .collect();
    whole.extend(parts.into_values().flatten());
    whole
}

/// The panels of a matrix that is more than one of them, with their names.
fn panels(name: &str, weight: &Constant) -> Option<Vec<(String, Constant)>> {
    let &[rows, columns] = weight.shape().as_slice() else { return None };
    let width = PANEL.checked_div(rows)?.max(1).next_multiple_of(COLUMNS);
    let starts = (0..columns).step_by(width).enumerate();
    let panel = |(at, start)| (format!("{name}/panel.{at}"), weight.sliced(1, start, columns.min(start + width)));
    (width < columns).then(|| starts.map(panel).collect())
}

/// The products with the panels of a weight, and what puts them side by side.
fn side_by_side(product: NodeProto, panels: &[(String, Constant)]) -> Vec<NodeProto> {
    let [made, read] = [&product.output[0], &product.input[0]];
    let parts: Vec<String> = (0..panels.len()).map(|at| format!("{made}/panel.{at}")).collect();
    let of_panel = |(part, (panel, _)): (&String, &(String, Constant))| {
        node("MatMul", part, vec![read.clone(), panel.clone()], vec![part.clone()], vec![])
    };
    let mut nodes: Vec<NodeProto> = parts.iter().zip(panels).map(of_panel).collect();
    // The last of however many axes.
    nodes.push(node("Concat", &product.name, parts, product.output, vec![axis(0, 1)]));
    nodes
}
