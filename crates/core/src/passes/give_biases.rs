//! Gives a bias of zeros to convolutions that have none, as in networks whose normalizations have no batch statistics to
//! fold. It costs nothing on the NPU, which adds one to its sums anyway, and bias correction needs a place for what it
//! takes back.

use super::rewrite::Rewrite;
use crate::ir::ops::InputKind;
use crate::ir::{Constant, Graph, Node};
use autoneural_base::error::Result;

/// The graph with a bias in each node that has constant weights, could have a bias and has none.
pub fn give_biases(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let Some(channels) = channels_without_bias(graph, node) else {
            rewrite.copy(node)?;
            continue;
        };
        let mut inputs = rewrite.inputs(node)?;
        let name = rewrite.free(format!("{}.bias", node.name));
        inputs.push(rewrite.new.constant(name, Constant::from_values(vec![0.0; channels], vec![channels]))?);
        let made = rewrite.new.node(node.name.clone(), node.op.clone(), &inputs)?;
        rewrite.set(node.outputs[0], made);
    }
    rewrite.finish()
}

/// How many channels the bias has that a node lacks; `None` if it lacks none.
fn channels_without_bias(graph: &Graph, node: &Node) -> Option<usize> {
    let signature = node.op.signature();
    let weights = graph.value(*node.inputs.get(signature.position(InputKind::Weight)?)?);
    let lacks_bias = signature.position(InputKind::Bias) == Some(node.inputs.len());
    (lacks_bias && weights.constant().is_some() && signature.reads_image).then(|| graph.value(node.outputs[0]).shape[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType, ops};

    #[test]
    fn a_convolution_gets_zeros_where_it_has_no_bias() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 2, 3, 3], ElementType::F32).unwrap();
        let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        let w = b.constant("w", Constant::from_values(vec![0.5; 8], vec![4, 2, 1, 1])).unwrap();
        let plain = b.node("plain", conv.clone(), &[x, w]).unwrap();
        let v = b.constant("v", Constant::from_values(vec![0.5; 16], vec![4, 4, 1, 1])).unwrap();
        let own = b.constant("own", Constant::from_values(vec![1.0; 4], vec![4])).unwrap();
        let biased = b.node("biased", conv.clone(), &[plain, v, own]).unwrap();
        // Weights that are computed have no rounding to make up for.
        let computed = b.input("computed", vec![1, 4, 1, 1], ElementType::F32).unwrap();
        let last = b.node("last", conv, &[biased, computed]).unwrap();
        let made = give_biases(&b.finish(vec![last])).unwrap();
        let inputs = |name: &str| {
            let node = made.nodes().iter().find(|node| node.name == name).unwrap();
            node.inputs.iter().map(|&id| made.value(id).name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(inputs("plain"), ["x", "w", "plain.bias"]);
        assert_eq!(inputs("biased"), ["plain", "v", "own"]);
        assert_eq!(inputs("last"), ["biased", "computed"]);
        let zeros = made.value(made.find("plain.bias").unwrap()).constant().unwrap().to_f32();
        assert_eq!(zeros, [0.0; 4]);
    }
}
