//! Leaves out sums with zeros and products with ones.

use super::rewrite::Rewrite;
use crate::ir::{Graph, Node, Op, ValueId};
use autoneural_base::error::Result;

/// The graph without nodes that give what they read, as networks have them whose shifts and factors were not trained.
/// They are more than a waste: a sum with a constant that is all zeros comes out of the NPU wrong (5 dB of a single Add in
/// timm's hgnetv2_b0). What makes an output of the graph stays. Run [`super::prune()`] after it: the constants are
/// still there.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn skip_neutral(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        match kept(graph, node).filter(|_| !graph.outputs().contains(&node.outputs[0])) {
            Some(same) => {
                let same = rewrite.get(same)?;
                rewrite.set(node.outputs[0], same);
            }
            None => rewrite.copy(node)?,
        }
    }
    rewrite.finish()
}

/// The input that a node gives as it is.
fn kept(graph: &Graph, node: &Node) -> Option<ValueId> {
    let (neutral, is_symmetric) = match node.op {
        Op::Add(_) => (0.0, true),
        Op::Sub(_) => (0.0, false),
        Op::Mul(_) => (1.0, true),
        Op::Div(_) => (1.0, false),
        _ => return None,
    };
    let &[a, b] = node.inputs.as_slice() else { return None };
    let is_neutral = |other: ValueId, same: ValueId| {
        let (same, made) = (graph.value(same), graph.value(node.outputs[0]));
        let constant = graph.value(other).constant().filter(|_| same.constant().is_none());
        same.shape == made.shape
            && same.element.is_real()
            && constant.is_some_and(|constant| constant.to_f32().iter().all(|number| *number == neutral))
    };
    match () {
        () if is_neutral(b, a) => Some(a),
        () if is_symmetric && is_neutral(a, b) => Some(b),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType, ops};
    use crate::passes::prune::prune;

    /// Nodes that are left of `x` and a constant of this shape and number, with a Relu behind.
    fn left(op: impl Into<Op>, (shape, number): (&[usize], f32), is_first: bool) -> Vec<String> {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 3], ElementType::F32).unwrap();
        let numbers = vec![number; shape.iter().product()];
        let c = b.constant("c", Constant::from_values(numbers, shape.to_vec())).unwrap();
        let made = b.node("made", op, &if is_first { [c, x] } else { [x, c] }).unwrap();
        let y = b.node("y", ops::Relu, &[made]).unwrap();
        let graph = prune(&skip_neutral(&b.finish(vec![y])).unwrap()).unwrap();
        graph.nodes().iter().map(|node| node.op.name().to_string()).collect()
    }

    #[test]
    fn what_changes_nothing_is_left_out() {
        assert_eq!(left(ops::Add, (&[3], 0.0), false), ["Relu"]);
        assert_eq!(left(ops::Add, (&[1], 0.0), true), ["Relu"]);
        assert_eq!(left(ops::Sub, (&[2, 3], 0.0), false), ["Relu"]);
        assert_eq!(left(ops::Mul, (&[2, 1], 1.0), true), ["Relu"]);
        assert_eq!(left(ops::Div, (&[3], 1.0), false), ["Relu"]);
    }

    #[test]
    fn what_changes_something_stays() {
        assert_eq!(left(ops::Add, (&[3], 0.5), false), ["Add", "Relu"]);
        // 0 - x and 1 / x.
        assert_eq!(left(ops::Sub, (&[3], 0.0), true), ["Sub", "Relu"]);
        assert_eq!(left(ops::Div, (&[3], 1.0), true), ["Div", "Relu"]);
        // More rows than there were.
        assert_eq!(left(ops::Add, (&[4, 2, 3], 0.0), false), ["Add", "Relu"]);
    }
}
