//! Joins transposes that follow each other, and reshapes that follow each other; drops those that do nothing.

use std::collections::HashMap;

use super::rewrite::Rewrite;
use crate::ir::{Graph, Op, ValueId, ops};
use autoneural_base::error::Result;

/// The graph in which chains of transposes or reshapes are one. Run [`super::prune()`] after it: the nodes that were
/// skipped are still there.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn merge_moves(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    // For each new value that a move made: where it was moved from, and how.
    let mut moved: HashMap<ValueId, (ValueId, Op)> = HashMap::new();
    for node in graph.nodes() {
        let joined = match &node.op {
            Op::Transpose(ops::Transpose { perm }) => {
                let input = rewrite.get(node.inputs[0])?;
                Some(match moved.get(&input) {
                    Some((from, Op::Transpose(ops::Transpose { perm: first }))) => {
                        (*from, ops::Transpose { perm: perm.iter().map(|&axis| first[axis]).collect() }.into())
                    }
                    _ => (input, node.op.clone()),
                })
            }
            Op::Reshape { .. } => {
                let input = rewrite.get(node.inputs[0])?;
                Some(match moved.get(&input) {
                    Some((from, Op::Reshape { .. })) => (*from, node.op.clone()),
                    _ => (input, node.op.clone()),
                })
            }
            _ => None,
        };
        let Some((from, op)) = joined else {
            rewrite.copy(node)?;
            continue;
        };
        let nothing = match &op {
            Op::Transpose(ops::Transpose { perm }) => perm.iter().enumerate().all(|(i, &p)| i == p),
            Op::Reshape(ops::Reshape { shape }) => shape == rewrite.new.shape(from),
            _ => false,
        };
        let is_output = graph.outputs().contains(&node.outputs[0]);
        let made = if nothing && !is_output {
            from
        } else {
            let made = rewrite.new.node(node.name.clone(), op.clone(), &[from])?;
            moved.insert(made, (from, op));
            made
        };
        rewrite.set(node.outputs[0], made);
    }
    rewrite.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType};
    use crate::passes::prune::prune;

    #[test]
    fn a_transpose_and_its_inverse_vanish() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 2, 3, 4], ElementType::F32).unwrap();
        let t = b.node("t", ops::Transpose { perm: vec![0, 2, 3, 1] }, &[x]).unwrap();
        let u = b.node("u", ops::Transpose { perm: vec![0, 3, 1, 2] }, &[t]).unwrap();
        let y = b.node("y", ops::Sigmoid, &[u]).unwrap();
        let merged = prune(&merge_moves(&b.finish(vec![y])).unwrap()).unwrap();
        assert_eq!(merged.nodes().len(), 1);
        assert_eq!(merged.value(merged.nodes()[0].inputs[0]).name, "x");
    }

    #[test]
    fn three_transposes_become_one_with_the_same_effect() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 3, 4], ElementType::F32).unwrap();
        let mut t = x;
        for name in ["a", "b", "c"] {
            t = b.node(name, ops::Transpose { perm: vec![1, 0, 2] }, &[t]).unwrap();
        }
        let y = b.node("y", ops::Sigmoid, &[t]).unwrap();
        let merged = prune(&merge_moves(&b.finish(vec![y])).unwrap()).unwrap();
        assert_eq!(merged.nodes().len(), 2);
        assert_eq!(merged.value(merged.outputs()[0]).shape, [3, 2, 4]);
    }
}
