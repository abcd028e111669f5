//! Joins transposes that follow each other, and reshapes that follow each other; drops those that do nothing. A gather
//! that picks every element of its axis in order is a reshape: so torch.export writes an adaptive pool of one pixel (as
//! `as_strided`), and QNN's compiler breaks off at the convolution behind such a gather.

use std::collections::HashMap;

use super::rewrite::Rewrite;
use crate::ir::{Graph, Node, Op, ValueId, ops};
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
        let op = match as_reshape(graph, node) {
            Some(reshape) => reshape.into(),
            None => node.op.clone(),
        };
        let joined = match &op {
            Op::Transpose(ops::Transpose { perm }) => {
                let input = rewrite.get(node.inputs[0])?;
                Some(match moved.get(&input) {
                    Some((from, Op::Transpose(ops::Transpose { perm: first }))) => {
                        (*from, ops::Transpose { perm: perm.iter().map(|&axis| first[axis]).collect() }.into())
                    }
                    _ => (input, op),
                })
            }
            Op::Reshape { .. } => {
                let input = rewrite.get(node.inputs[0])?;
                Some(match moved.get(&input) {
                    Some((from, Op::Reshape { .. })) => (*from, op),
                    _ => (input, op),
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

/// The reshape that a gather is whose indices are constant and count its axis from first to last.
fn as_reshape(graph: &Graph, node: &Node) -> Option<ops::Reshape> {
    let Op::Gather(ops::Gather { axis }) = node.op else { return None };
    let size = graph.value(node.inputs[0]).shape[axis] as i64;
    let indices = graph.value(node.inputs[1]).constant()?;
    let all = indices.shape().iter().product::<usize>() as i64 == size;
    let in_order = || indices.to_i64().into_iter().zip(0..).all(|(index, at)| index == at || index == at - size);
    (all && in_order()).then(|| ops::Reshape { shape: graph.value(node.outputs[0]).shape.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType};
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
    fn a_gather_of_everything_in_order_is_a_reshape() {
        let long = |values: &[i64]| Constant::from_integers(ElementType::I64, values.to_vec(), vec![1, 3, 1, 1]);
        let count = |indices: Constant| {
            let mut b = Builder::new("g");
            let x = b.input("x", vec![1, 3, 1, 1], ElementType::F32).unwrap();
            let flat = b.node("flat", ops::Reshape { shape: vec![3] }, &[x]).unwrap();
            let indices = b.constant("indices", indices).unwrap();
            let picked = b.node("picked", ops::Gather { axis: 0 }, &[flat, indices]).unwrap();
            let y = b.node("y", ops::Sigmoid, &[picked]).unwrap();
            let merged = prune(&merge_moves(&b.finish(vec![y])).unwrap()).unwrap();
            assert_eq!(merged.value(merged.outputs()[0]).shape, [1, 3, 1, 1]);
            merged.nodes().len()
        };
        assert_eq!(count(long(&[0, 1, 2])), 1);
        assert_eq!(count(long(&[0, -2, -1])), 1);
        assert_eq!(count(long(&[0, 2, 1])), 3);
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
