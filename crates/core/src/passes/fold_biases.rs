//! Moves constants that are added to the channels of a convolution's result, or taken from them, into its bias: one node
//! and one rounding less, and what a normalization multiplies behind them can go into the weights.

use std::collections::HashMap;

use super::fold_scales::by_channel;
use super::rewrite::{Links, Rewrite};
use crate::ir::ops::InputKind;
use crate::ir::{Constant, Graph, Node, Op};
use autoneural_base::error::Result;

/// The graph with biases in convolutions, also transposed ones, in place of constants that are added behind them.
pub fn fold_biases(graph: &Graph) -> Result<Graph> {
    let links = Links::new(graph);
    // For the position of each convolution the sum behind it, and for that of each such sum nothing.
    let mut plans: HashMap<usize, Option<(&Node, Vec<f32>)>> = HashMap::new();
    for (position, node) in graph.nodes().iter().enumerate() {
        if let Some((maker, bias)) = with_sum(graph, &links, node) {
            plans.insert(maker, Some((node, bias)));
            plans.insert(position, None);
        }
    }
    let mut rewrite = Rewrite::new(graph)?;
    for (position, node) in graph.nodes().iter().enumerate() {
        match plans.remove(&position) {
            None => rewrite.copy(node)?,
            Some(None) => {}
            Some(Some((sum, bias))) => {
                let weights = rewrite.free(format!("{}.bias", sum.name));
                let channels = bias.len();
                let bias = rewrite.new.constant(weights, Constant::from_values(bias, vec![channels]))?;
                let inputs = [rewrite.get(node.inputs[0])?, rewrite.get(node.inputs[1])?, bias];
                let made = rewrite.new.node(sum.name.clone(), node.op.clone(), &inputs)?;
                rewrite.set(sum.outputs[0], made);
            }
        }
    }
    rewrite.finish()
}

/// For a sum of a convolution's result, which nothing else reads, and a constant for each channel, or their difference: the
/// position of the convolution, and the bias that it has with the constant.
fn with_sum(graph: &Graph, links: &Links, sum: &Node) -> Option<(usize, Vec<f32>)> {
    let &[first, second] = sum.inputs.as_slice() else { return None };
    let (made, constant, sign) = match (&sum.op, graph.value(first).constant(), graph.value(second).constant()) {
        (Op::Add(_), None, Some(constant)) => (first, constant, 1.0),
        (Op::Add(_), Some(constant), None) => (second, constant, 1.0),
        (Op::Sub(_), None, Some(constant)) => (first, constant, -1.0),
        _ => return None,
    };
    let maker = links.maker[made.index()].filter(|_| links.reads[made.index()] == 1)?;
    let node = &graph.nodes()[maker];
    let signature = node.op.signature();
    let is_convolution = signature.reads_image
        && signature.position(InputKind::Weight) == Some(1)
        && signature.position(InputKind::Bias) == Some(2)
        && graph.value(node.inputs[1]).constant().is_some();
    let shape = &graph.value(made).shape;
    if !is_convolution || graph.value(sum.outputs[0]).shape != *shape {
        return None;
    }
    let added = by_channel(constant, shape.len() - 1, shape[1])?;
    let own = match node.inputs.get(2) {
        None => vec![0.0; added.len()],
        Some(&bias) => graph.value(bias).constant()?.to_f32(),
    };
    Some((maker, own.iter().zip(added).map(|(own, added)| own + sign * added).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType, ops};

    /// The operators, and the bias of the convolution, behind the pass.
    fn folded(own: Option<f32>, added: Vec<usize>, is_read_twice: bool) -> (Vec<&'static str>, Option<Vec<f32>>) {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 3, 2, 2], ElementType::F32).unwrap();
        let op = ops::ConvTranspose { strides: [2, 2], pads: [0; 4], output_padding: [0; 2], groups: 1 };
        let weights = b.constant("w", Constant::from_values(vec![0.5; 24], vec![3, 2, 2, 2])).unwrap();
        let mut inputs = vec![x, weights];
        if let Some(own) = own {
            inputs.push(b.constant("b", Constant::from_values(vec![own; 2], vec![2])).unwrap());
        }
        let made = b.node("made", op, &inputs).unwrap();
        let numbers = (0..added.iter().product::<usize>()).map(|at| at as f32 + 1.0).collect();
        let constant = b.constant("c", Constant::from_values(numbers, added)).unwrap();
        let sum = b.node("sum", ops::Add, &[constant, made]).unwrap();
        let outputs = if is_read_twice { vec![sum, made] } else { vec![sum] };
        let after = fold_biases(&b.finish(outputs)).unwrap();
        let node = after.nodes().iter().find(|node| node.op.name() == "ConvTranspose").unwrap();
        let bias = node.inputs.get(2).map(|&id| after.value(id).constant().unwrap().to_f32());
        (after.nodes().iter().map(|node| node.op.name()).collect(), bias)
    }

    #[test]
    fn what_is_added_to_channels_becomes_the_bias() {
        assert_eq!(folded(None, vec![1, 2, 1, 1], false), (vec!["ConvTranspose"], Some(vec![1.0, 2.0])));
        assert_eq!(folded(Some(10.0), vec![2, 1, 1], false), (vec!["ConvTranspose"], Some(vec![11.0, 12.0])));
        assert_eq!(folded(Some(10.0), vec![], false), (vec!["ConvTranspose"], Some(vec![11.0; 2])));
    }

    #[test]
    fn what_is_taken_from_channels_becomes_the_bias_and_what_they_are_taken_from_does_not() {
        let of = |is_first: bool| {
            let mut b = Builder::new("g");
            let x = b.input("x", vec![1, 3, 2, 2], ElementType::F32).unwrap();
            let weights = b.constant("w", Constant::from_values(vec![0.5; 6], vec![2, 3, 1, 1])).unwrap();
            let conv = ops::Conv { strides: [1; 2], pads: [0; 4], dilations: [1; 2], groups: 1 };
            let made = b.node("made", conv, &[x, weights]).unwrap();
            let constant = b.constant("c", Constant::from_values(vec![1.0, 2.0], vec![2, 1, 1])).unwrap();
            let inputs = if is_first { [constant, made] } else { [made, constant] };
            let rest = b.node("rest", ops::Sub, &inputs).unwrap();
            let after = fold_biases(&b.finish(vec![rest])).unwrap();
            let bias = after.nodes()[0].inputs.get(2).map(|&id| after.value(id).constant().unwrap().to_f32());
            (after.nodes().len(), bias)
        };
        assert_eq!(of(false), (1, Some(vec![-1.0, -2.0])));
        assert_eq!(of(true), (2, None));
    }

    #[test]
    fn what_differs_from_place_to_place_stays_a_sum_and_so_does_what_others_read() {
        for (added, is_read_twice) in [(vec![1, 2, 1, 4], false), (vec![4], false), (vec![1, 2, 1, 1], true)] {
            assert_eq!(folded(None, added, is_read_twice), (vec!["ConvTranspose", "Add"], None));
        }
    }
}
