//! Axes of channels of a constant, as the node that reads it has them.

use autoneural_core::ir::ops::InputKind;
use autoneural_core::ir::{Graph, Op};

/// The output channel axis of a constant, from the node that reads it.
pub fn channel_axis(graph: &Graph, name: &str) -> Option<usize> {
    let (op, input, rank) = reader(graph, name)?;
    op.channel_axis(input, rank)
}

/// The axes of output and of input channels of a weight, from the node that reads it.
pub fn channel_axes(graph: &Graph, name: &str) -> Option<[usize; 2]> {
    let (op, input, rank) = reader(graph, name)?;
    let axes = op.weight_axes(rank).filter(|_| op.signature().kind(input) == Some(InputKind::Weight))?;
    Some([axes.output?, axes.input])
}

/// The first operator that reads a value, as which of its inputs, and the value's rank.
fn reader<'a>(graph: &'a Graph, name: &str) -> Option<(&'a Op, usize, usize)> {
    let id = graph.find(name)?;
    let mut reads =
        graph.nodes().iter().filter_map(|node| Some((node, node.inputs.iter().position(|&read| read == id)?)));
    let (node, input) = reads.next()?;
    Some((&node.op, input, graph.value(id).shape.len()))
}
