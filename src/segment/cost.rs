//! What nodes cost.

use crate::ir::{Graph, Node, Op};

/// Products that a convolution or matrix product adds up: elements of the output times the products in each. Other operators
/// have none.
pub fn multiply_adds(graph: &Graph, node: &Node) -> u64 {
    let elements = |shape: &[usize]| shape.iter().map(|&size| size as u64).product::<u64>();
    let made = elements(&graph.value(node.outputs[0]).shape);
    match (&node.op, node.inputs.as_slice()) {
        (Op::Conv { .. }, [_, weights, ..]) => made * elements(&graph.value(*weights).shape[1..]),
        (Op::MatMul, [left, ..]) => made * graph.value(*left).shape.last().map_or(1, |&size| size as u64),
        _ => 0,
    }
}
