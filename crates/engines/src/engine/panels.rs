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
    let (parted, mut whole): (Vec<_>, Vec<_>) =
        weights.into_iter().partition(|(name, weight)| width(weight).is_some() && !of_others.contains(name.as_str()));
    let parts: HashMap<String, Vec<(String, Constant)>> =
        parted.into_iter().map(|(name, weight)| (name.clone(), panels(&name, &weight))).collect();
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

/// Columns of the panels of a weight that is more than one of them.
fn width(weight: &Constant) -> Option<usize> {
    let &[rows, columns] = weight.shape().as_slice() else { return None };
    let width = (PANEL / rows).max(1).next_multiple_of(COLUMNS);
    (width < columns).then_some(width)
}

/// The panels of a weight, with their names.
fn panels(name: &str, weight: &Constant) -> Vec<(String, Constant)> {
    let (columns, width) = (weight.shape()[1], width(weight).unwrap_or(usize::MAX));
    let starts = (0..columns).step_by(width).enumerate();
    starts
        .map(|(at, start)| (format!("{name}/panel.{at}"), weight.sliced(1, start, columns.min(start + width))))
        .collect()
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
