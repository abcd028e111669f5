//! Computes at compile time what depends on nothing but constants.

use super::rewrite::Rewrite;
use crate::ir::ops::Work;
use crate::ir::{Graph, Node, Op, Shape};
use autoneural_base::error::{Error, Result};

/// Most multiply-adds of a node that is computed at compile time, in plain loops.
const MOST_MULTIPLY_ADDS: u64 = 1 << 26;
/// Most elements that a node may make if it reads fewer: a file of a few bytes must not become gigabytes.
const MOST_MADE: usize = 1 << 24;
/// Most elements that a node may read that computes something other than sums of products.
const MOST_COMPUTED: usize = 1 << 16;
/// The same of a reduction, which takes a step for each element: weights are standardized by their mean and variance.
const MOST_REDUCED: usize = 1 << 24;

/// The graph in which nodes that read nothing but constants are replaced by their results, where [`worth_folding`] says
/// so.
///
/// # Errors
/// An operator cannot be computed from its constants, which is a defect: shape inference checked them.
pub(crate) fn fold_constants(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &id in &node.inputs {
            let id = rewrite.get(id)?;
            inputs.extend(rewrite.new.graph().value(id).constant().cloned());
        }
        if inputs.len() < node.inputs.len() || !is_folded(graph, node) {
            rewrite.copy(node)?;
            continue;
        }
        let made = node.op.evaluate(&inputs).map_err(|message| Error::internal(&node.name, message))?;
        for (&output, constant) in node.outputs.iter().zip(made) {
            let made = rewrite.new.constant(graph.value(output).name.clone(), constant)?;
            rewrite.set(output, made);
        }
    }
    rewrite.finish()
}

/// Whether a node of constants is computed here.
fn is_folded(graph: &Graph, node: &Node) -> bool {
    let inputs: Vec<&Shape> = node.inputs.iter().map(|&id| &graph.value(id).shape).collect();
    worth_folding(&node.op, &inputs, &graph.value(node.outputs[0]).shape)
}

/// Whether an operator on constants of these shapes is computed at compile time; `made` is the shape of its first
/// output. It is if that takes little time and makes few elements, or fewer than it reads. A change of encoding is
/// never computed here, because the encodings are not known yet.
pub fn worth_folding(op: &Op, inputs: &[&Shape], made: &Shape) -> bool {
    let cost = op.multiply_adds(inputs, made);
    let count = |shape: &Shape| shape.iter().product::<usize>();
    let (read, made) = (inputs.iter().map(|shape| count(shape)).sum::<usize>(), count(made));
    let is_small = made <= read.max(MOST_MADE);
    match op.work() {
        Work::Requantizes => false,
        Work::Moves | Work::Elementwise => is_small,
        Work::Computes if is_reduction(op) => is_small && read <= MOST_REDUCED,
        Work::Computes if cost == 0 => is_small && read <= MOST_COMPUTED,
        Work::Computes => is_small && cost <= MOST_MULTIPLY_ADDS,
    }
}

fn is_reduction(op: &Op) -> bool {
    matches!(op, Op::ReduceL2(_) | Op::ReduceMax(_) | Op::ReduceMean(_) | Op::ReduceMin(_) | Op::ReduceSum(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType, ops};

    #[test]
    fn a_sum_of_constants_becomes_a_constant() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 2], ElementType::F32).unwrap();
        let c = b.constant("c", Constant::from_values(vec![1., 2., 3., 4.], vec![2, 2])).unwrap();
        let d = b.constant("d", Constant::from_values(vec![10., 20.], vec![2])).unwrap();
        let t = b.node("t", ops::Transpose { perm: vec![1, 0] }, &[c]).unwrap();
        let s = b.node("s", ops::Add, &[t, d]).unwrap();
        let y = b.node("y", ops::Add, &[x, s]).unwrap();
        let folded = super::super::prune::prune(&fold_constants(&b.finish(vec![y])).unwrap()).unwrap();
        assert_eq!(folded.nodes().len(), 1);
        let s = folded.find("s").unwrap();
        assert_eq!(folded.value(s).constant().unwrap().to_f32(), [11., 23., 12., 24.]);
    }

    #[test]
    fn what_works_out_shapes_vanishes() {
        let mut b = Builder::new("g");
        let long = |values: &[i64]| Constant::from_integers(ElementType::I64, values.to_vec(), vec![values.len()]);
        let x = b.input("x", vec![1, 2], ElementType::F32).unwrap();
        let shape = b.constant("shape", long(&[1, 3, 8, 8])).unwrap();
        let places = b.constant("places", long(&[0, -1])).unwrap();
        let more = b.constant("more", long(&[7])).unwrap();
        let picked = b.node("picked", ops::Gather { axis: 0 }, &[shape, places]).unwrap();
        let joined = b.node("joined", ops::Concat { axis: 0 }, &[picked, more]).unwrap();
        let cut = b.node("cut", ops::Slice { axis: 0, start: 1, end: 3 }, &[joined]).unwrap();
        let y = b.node("y", ops::Gather { axis: 1 }, &[x, cut]).unwrap();
        let folded = super::super::prune(&fold_constants(&b.finish(vec![y])).unwrap()).unwrap();
        assert_eq!(folded.nodes().len(), 1);
        let cut = folded.value(folded.find("cut").unwrap());
        assert_eq!((cut.element, cut.constant().unwrap().to_i64()), (ElementType::I64, vec![8, 7]));
    }
}
