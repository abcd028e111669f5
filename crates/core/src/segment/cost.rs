//! The cost of nodes.

use crate::ir::{Graph, Node, Shape};

/// The multiply-adds of a convolution or matrix product: elements of the output times the products in each. Other
/// operators have 0.
pub fn multiply_adds(graph: &Graph, node: &Node) -> u64 {
    let inputs: Vec<&Shape> = node.inputs.iter().map(|&id| &graph.value(id).shape).collect();
    node.op.multiply_adds(&inputs, &graph.value(node.outputs[0]).shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType, ops};

    #[test]
    fn products_are_counted_by_hand() {
        let mut b = Builder::new("g");
        let constant = |shape: &[usize]| Constant::from_values(vec![0.0; shape.iter().product()], shape.to_vec());
        let x = b.input("x", vec![1, 8, 6, 6], ElementType::F32).unwrap();
        let w = b.constant("w", constant(&[4, 2, 3, 3])).unwrap();
        // 4 channels of 4 x 4, each a sum over 2 channels of 3 x 3.
        let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 4, dilations: [1, 1] };
        let y = b.node("y", conv, &[x, w]).unwrap();
        let rows = b.node("rows", ops::Reshape { shape: vec![16, 4] }, &[y]).unwrap();
        let m = b.constant("m", constant(&[4, 5])).unwrap();
        // 16 rows of 5, each a sum over 4.
        let z = b.node("z", ops::MatMul, &[rows, m]).unwrap();
        let graph = b.finish(vec![z]);
        let made: Vec<u64> = graph.nodes().iter().map(|node| multiply_adds(&graph, node)).collect();
        assert_eq!(made, [4 * 16 * 18, 0, 16 * 5 * 4]);
    }
}
