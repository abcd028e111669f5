//! Moves padding of height and width into the convolution or pooling behind it, where that computes the same: one node
//! less, and nothing larger in memory.

use super::rewrite::{Links, Rewrite};
use crate::ir::ops::{self, Op, Pad, Padding};
use crate::ir::{Graph, Node, ValueId};
use autoneural_base::error::Result;

/// The graph with windows that pad by themselves. Run [`super::prune`] after it: padding that nobody reads is still
/// there.
pub fn fold_pads(graph: &Graph) -> Result<Graph> {
    let links = Links::new(graph);
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let Some((padded, op)) = padding_itself(graph, &links, node) else {
            rewrite.copy(node)?;
            continue;
        };
        let mut inputs = vec![rewrite.get(padded)?];
        for &id in &node.inputs[1..] {
            inputs.push(rewrite.get(id)?);
        }
        let made = rewrite.new.node(node.name.clone(), op, &inputs)?;
        rewrite.set(node.outputs[0], made);
    }
    rewrite.finish()
}

/// What a node reads before it is padded, and the operator that pads by itself.
fn padding_itself(graph: &Graph, links: &Links, node: &Node) -> Option<(ValueId, Op)> {
    let maker = |id: ValueId| links.maker[id.index()].map(|at| &graph.nodes()[at]);
    let pad = maker(*node.inputs.first()?)?;
    let Op::Pad(Pad { before, after, padding }) = &pad.op else { return None };
    let (&[0, 0, top, left], &[0, 0, bottom, right]) = (&before[..], &after[..]) else { return None };
    if !matches!(padding, Padding::Constant(0.0) | Padding::Edge) {
        return None;
    }
    let is_zero = *padding != Padding::Edge;
    let sum = |pads: [usize; 4]| {
        let [a, b, c, d] = pads;
        [a.saturating_add(top), b.saturating_add(left), c.saturating_add(bottom), d.saturating_add(right)]
    };
    // Every window of a pool has to hold an element.
    let fits = |pads: &[usize; 4], kernel: [usize; 2]| (0..4).all(|at| pads[at] < kernel[at % 2]);
    let op = match &node.op {
        Op::Conv(conv) if is_zero => Op::Conv(ops::Conv { pads: sum(conv.pads), ..conv.clone() }),
        Op::AveragePool(pool) if is_zero && (pool.counts_pads || pool.pads == [0; 4]) => {
            let pads = sum(pool.pads);
            fits(&pads, pool.kernel).then(|| ops::AveragePool { pads, counts_pads: true, ..pool.clone() })?.into()
        }
        // Zeros are never the largest of what is not below zero, and what is repeated is in the same window; with padding
        // of its own the pool leaves both out.
        Op::MaxPool(pool) if !is_zero || is_never_negative(maker(pad.inputs[0])?) => {
            let pads = sum(pool.pads);
            fits(&pads, pool.kernel).then(|| ops::MaxPool { pads, ..pool.clone() })?.into()
        }
        _ => return None,
    };
    Some((pad.inputs[0], op))
}

/// Whether what a node makes is nowhere below zero.
fn is_never_negative(node: &Node) -> bool {
    match &node.op {
        Op::Relu(_) | Op::Sigmoid(_) | Op::HardSigmoid(_) | Op::Softmax(_) | Op::Abs(_) | Op::Exp(_) => true,
        Op::Clip(ops::Clip { min: Some(min), max }) => *min >= 0.0 && max.is_none_or(|max| max >= 0.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType};
    use crate::passes::prune;

    /// Names of the operators behind the pass.
    fn left(padding: Padding, before: [usize; 4], rectified: bool, op: impl Into<Op>) -> Vec<&'static str> {
        let mut b = Builder::new("g");
        let mut x = b.input("x", vec![1, 2, 5, 5], ElementType::F32).unwrap();
        if rectified {
            x = b.node("relu", ops::Relu, &[x]).unwrap();
        }
        let pad = Pad { before: before.to_vec(), after: vec![0, 0, 1, 0], padding };
        let mut inputs = vec![b.node("pad", pad, &[x]).unwrap()];
        let (op, channels) = (op.into(), 2 + before[1]);
        if op.signature().has_weights() {
            let weights = Constant::from_values(vec![0.5; channels * 9], vec![1, channels, 3, 3]);
            inputs.push(b.constant("w", weights).unwrap());
        }
        let y = b.node("y", op, &inputs).unwrap();
        let made = prune(&fold_pads(&b.finish(vec![y])).unwrap()).unwrap();
        made.nodes().iter().map(|node| node.op.name()).collect()
    }

    #[test]
    fn zeros_around_pictures_go_into_windows() {
        let zeros = Padding::Constant(0.0);
        let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        assert_eq!(left(zeros, [0, 0, 1, 1], false, conv.clone()), ["Conv"]);
        assert_eq!(left(zeros, [0, 1, 1, 1], false, conv.clone()), ["Pad", "Conv"]);
        assert_eq!(left(Padding::Constant(1.0), [0, 0, 1, 1], false, conv.clone()), ["Pad", "Conv"]);
        assert_eq!(left(Padding::Edge, [0, 0, 1, 1], false, conv), ["Pad", "Conv"]);
        let mean = ops::AveragePool::unpadded([2, 2], [1, 1]);
        assert_eq!(left(zeros, [0, 0, 1, 1], false, mean.clone()), ["AveragePool"]);
        assert_eq!(left(zeros, [0, 0, 2, 0], false, mean.clone()), ["Pad", "AveragePool"]);
        let padded = ops::AveragePool { pads: [1, 0, 0, 0], ..mean };
        assert_eq!(left(zeros, [0, 0, 1, 1], false, padded), ["Pad", "AveragePool"]);
        let largest = ops::MaxPool { kernel: [3, 3], strides: [2, 2], pads: [0; 4] };
        assert_eq!(left(zeros, [0, 0, 1, 1], true, largest.clone()), ["Relu", "MaxPool"]);
        assert_eq!(left(zeros, [0, 0, 1, 1], false, largest.clone()), ["Pad", "MaxPool"]);
        assert_eq!(left(Padding::Edge, [0, 0, 1, 2], false, largest.clone()), ["MaxPool"]);
        assert_eq!(left(Padding::Edge, [0, 0, 3, 0], false, largest), ["Pad", "MaxPool"]);
    }
}
