//! Turns products whose first factor is constant, so that it is the second: the one that holds weights.

use super::rewrite::Rewrite;
use crate::ir::{Constant, Graph, Node, Op, Shape, ValueId, ops};
use autoneural_base::error::Result;

/// The graph with `(b' a')'` in place of `a b` where `a` alone is constant, as a pool by attention asks with a query that
/// was learned. Weights have integers of their own; no target takes a constant in the place of an activation.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn constant_last(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        match constant_first(graph, node) {
            Some(constant) => {
                let made = turned(&mut rewrite, node, constant)?;
                rewrite.set(node.outputs[0], made);
            }
            None => rewrite.copy(node)?,
        }
    }
    rewrite.finish()
}

fn constant_first<'g>(graph: &'g Graph, node: &Node) -> Option<&'g Constant> {
    let (Op::MatMul(_), &[a, b]) = (&node.op, node.inputs.as_slice()) else { return None };
    let [first, second] = [a, b].map(|id| graph.value(id).constant());
    first.filter(|_| second.is_none())
}

/// An order of axes in which the last two change places.
fn swapped(shape: &Shape) -> Vec<usize> {
    let mut perm: Vec<usize> = (0..shape.len()).collect();
    perm.swap(shape.len() - 2, shape.len() - 1);
    perm
}

fn turned(rewrite: &mut Rewrite, node: &Node, constant: &Constant) -> Result<ValueId> {
    let (name, b) = (&node.name, rewrite.get(node.inputs[1])?);
    // Matrices of size 1 in front are none.
    let mut shape = constant.shape().clone();
    while shape.len() > 2 && shape[0] == 1 && rewrite.new.shape(b).len() >= shape.len() {
        shape.remove(0);
    }
    let weights = constant.reshaped(shape);
    let weights = weights.permuted(&swapped(weights.shape()));
    let called = rewrite.free(format!("{name}.weights"));
    let weights = rewrite.new.constant(called, weights)?;
    let perm = swapped(rewrite.new.shape(b));
    let called = rewrite.free(format!("{name}.in"));
    let b = rewrite.new.node(called, ops::Transpose { perm }, &[b])?;
    let called = rewrite.free(format!("{name}.product"));
    let made = rewrite.new.node(called, ops::MatMul, &[b, weights])?;
    let perm = swapped(rewrite.new.shape(made));
    rewrite.new.node(name.clone(), ops::Transpose { perm }, &[made])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType};

    #[test]
    fn a_constant_becomes_the_weights_of_what_is_computed() {
        let mut b = Builder::new("g");
        let query = b.constant("query", Constant::from_values(vec![1.0, 2.0], vec![1, 1, 2])).unwrap();
        let keys = b.input("keys", vec![4, 2, 3], ElementType::F32).unwrap();
        let y = b.node("y", ops::MatMul, &[query, keys]).unwrap();
        let made = constant_last(&b.finish(vec![y])).unwrap();
        let names: Vec<&str> = made.nodes().iter().map(|node| node.op.name()).collect();
        assert_eq!(names, ["Transpose", "MatMul", "Transpose"]);
        let weights = made.value(made.nodes()[1].inputs[1]);
        assert_eq!((weights.shape.as_slice(), weights.constant().unwrap().to_f32()), (&[2, 1][..], vec![1.0, 2.0]));
        assert_eq!(made.value(made.outputs()[0]).shape, [4, 1, 3]);
    }

    #[test]
    fn weights_that_are_second_stay() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![3, 2], ElementType::F32).unwrap();
        let w = b.constant("w", Constant::from_values(vec![1.0; 4], vec![2, 2])).unwrap();
        let y = b.node("y", ops::MatMul, &[x, w]).unwrap();
        let graph = b.finish(vec![y]);
        assert_eq!(constant_last(&graph).unwrap().to_string(), graph.to_string());
    }
}
