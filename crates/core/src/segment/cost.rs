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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType};

    #[test]
    fn products_are_counted_by_hand() {
        let mut b = Builder::new("g");
        let constant = |shape: &[usize]| Constant::from_values(vec![0.0; shape.iter().product()], shape.to_vec());
        let x = b.input("x", vec![1, 8, 6, 6], ElementType::F32).unwrap();
        let w = b.constant("w", constant(&[4, 2, 3, 3])).unwrap();
        // 4 channels of 4 x 4, each a sum over 2 channels of 3 x 3.
        let conv = Op::Conv { strides: [1, 1], pads: [0; 4], groups: 4 };
        let y = b.node("y", conv, &[x, w]).unwrap();
        let rows = b.node("rows", Op::Reshape { shape: vec![16, 4] }, &[y]).unwrap();
        let m = b.constant("m", constant(&[4, 5])).unwrap();
        // 16 rows of 5, each a sum over 4.
        let z = b.node("z", Op::MatMul, &[rows, m]).unwrap();
        let graph = b.finish(vec![z]);
        let made: Vec<u64> = graph.nodes().iter().map(|node| multiply_adds(&graph, node)).collect();
        assert_eq!(made, [4 * 16 * 18, 0, 16 * 5 * 4]);
    }
}
