//! Which real values are whole numbers, and which are 0 or 1 only. Graphs have no truth values that are computed: an
//! NPU computes with numbers, so a truth is 1 or 0, and what compares whole numbers is arithmetic.

use std::collections::HashSet;

use autoneural_core::ir::ops::Work;
use autoneural_core::ir::{Constant, Graph, Node, Op, ValueId, ops};

/// Most elements of a constant that are looked at.
const MOST_ELEMENTS: usize = 1 << 22;

/// What is known of the values of a graph that grows.
#[derive(Default)]
pub struct Numbers {
    truths: HashSet<ValueId>,
    whole: HashSet<ValueId>,
    /// Nodes that were looked at.
    seen: usize,
}

impl Numbers {
    /// Says that a value is 0 or 1 everywhere.
    pub fn truth(&mut self, id: ValueId) {
        self.truths.insert(id);
    }

    /// Says that a value has no fractions.
    pub fn whole(&mut self, id: ValueId) {
        self.whole.insert(id);
    }

    /// Whether a value is 0 or 1 everywhere.
    pub fn is_truth(&mut self, graph: &Graph, id: ValueId) -> bool {
        self.look(graph);
        self.has_truths(graph, id)
    }

    /// Whether a value has no fractions.
    pub fn is_whole(&mut self, graph: &Graph, id: ValueId) -> bool {
        self.look(graph);
        self.has_whole(graph, id)
    }

    fn has_truths(&self, graph: &Graph, id: ValueId) -> bool {
        self.truths.contains(&id) || all_of(graph, id, |value| value == 0.0 || value == 1.0)
    }

    fn has_whole(&self, graph: &Graph, id: ValueId) -> bool {
        self.truths.contains(&id) || self.whole.contains(&id) || all_of(graph, id, |value| value.fract() == 0.0)
    }

    /// Looks at nodes that are new.
    fn look(&mut self, graph: &Graph) {
        for node in &graph.nodes()[self.seen..] {
            if keeps_truths(node) && data(node).iter().all(|&id| self.has_truths(graph, id)) {
                self.truths.extend(&node.outputs);
            } else if makes_whole(node) || keeps_whole(node) && data(node).iter().all(|&id| self.has_whole(graph, id)) {
                self.whole.extend(&node.outputs);
            }
        }
        self.seen = graph.nodes().len();
    }
}

fn all_of(graph: &Graph, id: ValueId, fits: impl Fn(f32) -> bool) -> bool {
    let is_small = |constant: &&Constant| constant.shape().iter().product::<usize>() <= MOST_ELEMENTS;
    let constant = graph.value(id).constant().filter(is_small);
    constant.is_some_and(|constant| constant.to_f32().into_iter().all(fits))
}

/// What a node computes with: indices are none of it.
fn data(node: &Node) -> &[ValueId] {
    if matches!(node.op, Op::Gather(_)) { &node.inputs[..1] } else { &node.inputs }
}

fn keeps_truths(node: &Node) -> bool {
    node.op.work() == Work::Moves
        || matches!(node.op, Op::Mul(_) | Op::Min(_) | Op::Max(_) | Op::ReduceMax(_) | Op::ReduceMin(_))
}

fn makes_whole(node: &Node) -> bool {
    matches!(node.op, Op::Floor(_) | Op::Ceil(_) | Op::Round(_) | Op::Sign(_) | Op::ArgMax(_) | Op::ArgMin(_))
}

fn keeps_whole(node: &Node) -> bool {
    let bounds = |op: &ops::Clip| [op.min, op.max].into_iter().flatten().all(|bound| bound.fract() == 0.0);
    match &node.op {
        Op::Add(_) | Op::Sub(_) | Op::Abs(_) | Op::Neg(_) | Op::Relu(_) | Op::ReduceSum(_) => true,
        Op::Clip(op) => bounds(op),
        _ => keeps_truths(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::ir::{Builder, ElementType};

    #[test]
    fn what_is_computed_of_whole_numbers_is_whole() {
        let mut b = Builder::new("g");
        let mut numbers = Numbers::default();
        let [mask, x] = ["mask", "x"].map(|name| b.input(name, vec![2, 3], ElementType::F32).unwrap());
        numbers.truth(mask);
        let three = b.constant("three", Constant::from_values(vec![3.0], vec![1])).unwrap();
        let half = b.constant("half", Constant::from_values(vec![0.5], vec![1])).unwrap();
        let turned = b.node("turned", ops::Transpose { perm: vec![1, 0] }, &[mask]).unwrap();
        let more = b.node("more", ops::Add, &[turned, three]).unwrap();
        let cut = b.node("cut", ops::Clip { min: Some(0.0), max: Some(1.5) }, &[more]).unwrap();
        let part = b.node("part", ops::Mul, &[turned, half]).unwrap();
        let mixed = b.node("mixed", ops::Mul, &[mask, x]).unwrap();
        let floor = b.node("floor", ops::Floor, &[x]).unwrap();
        let kinds = |id| (numbers.is_truth(b.graph(), id), numbers.is_whole(b.graph(), id));
        assert_eq!(
            [turned, more, cut, part, mixed, floor].map(kinds),
            [(true, true), (false, true), (false, false), (false, false), (false, false), (false, true)]
        );
    }
}
