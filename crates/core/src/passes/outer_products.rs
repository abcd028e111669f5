//! Products of every element with every other.

use super::rewrite::{Links, Rewrite};
use crate::ir::{Graph, Node, Op, Shape, ValueId, ops};
use autoneural_base::error::Result;

/// The graph in which one factor of an outer product is turned, and not only brought into another shape: of rows `[.., N]`
/// that two reshapes make `[.., N, 1]` and `[.., 1, N]` of the NPU multiplies the elements at the same places (-19 dB;
/// onnxruntime-qnn 2.7.0), of the second made by a reshape to `[.., N, 1]` and a transpose each with each (79 dB). Add,
/// Sub, Div, Max and Min are right as they are. Run it behind [`super::merge_moves()`], which shows what is
/// brought into another shape.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn outer_products(graph: &Graph) -> Result<Graph> {
    let links = Links::new(graph);
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let Some((from, shape, perm)) = turned_factor(graph, &links, node) else {
            rewrite.copy(node)?;
            continue;
        };
        let (first, from) = (rewrite.get(node.inputs[0])?, rewrite.get(from)?);
        let name = rewrite.free(format!("{}.column", node.name));
        let column = rewrite.new.node(name, ops::Reshape { shape }, &[from])?;
        let name = rewrite.free(format!("{}.row", node.name));
        let row = rewrite.new.node(name, ops::Transpose { perm }, &[column])?;
        let made = rewrite.new.node(node.name.clone(), node.op.clone(), &[first, row])?;
        rewrite.set(node.outputs[0], made);
    }
    rewrite.finish()
}

/// Of an outer product of two values of one shape: what the second factor is made of, and the shape and order of axes that
/// make it.
fn turned_factor(graph: &Graph, links: &Links, node: &Node) -> Option<(ValueId, Shape, Vec<usize>)> {
    let (Op::Mul(_), &[first, second]) = (&node.op, node.inputs.as_slice()) else { return None };
    let source = |id: ValueId| {
        let maker = &graph.nodes()[links.maker[id.index()]?];
        matches!(maker.op, Op::Reshape(_)).then(|| maker.inputs[0])
    };
    let sizes = |id: ValueId| graph.value(id).shape.iter().copied().filter(|&size| size > 1).collect::<Shape>();
    let [from, other] = [source(second)?, source(first)?];
    let shape = &graph.value(second).shape;
    if sizes(from) != sizes(other) || *shape == graph.value(first).shape {
        return None;
    }
    // An axis of size 1 changes places with one beside it, which moves no element.
    let at = shape.windows(2).rposition(|pair| (pair[0] == 1) != (pair[1] == 1))?;
    let (mut column, mut perm) = (shape.clone(), (0..shape.len()).collect::<Vec<_>>());
    column.swap(at, at + 1);
    perm.swap(at, at + 1);
    Some((from, column, perm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType};

    fn operators(op: impl Into<Op>, from: [&[usize]; 2], to: [&[usize]; 2]) -> Vec<&'static str> {
        let mut b = Builder::new("g");
        let factor = |b: &mut Builder, at: usize| {
            let x = b.input(format!("x{at}"), from[at].to_vec(), ElementType::F32).unwrap();
            b.node(format!("r{at}"), ops::Reshape { shape: to[at].to_vec() }, &[x]).unwrap()
        };
        let (first, second) = (factor(&mut b, 0), factor(&mut b, 1));
        let y = b.node("y", op, &[first, second]).unwrap();
        let made = outer_products(&b.finish(vec![y])).unwrap();
        made.nodes().iter().map(|node| node.op.name()).collect()
    }

    #[test]
    fn a_factor_of_the_same_shape_is_turned() {
        let turned = ["Reshape", "Reshape", "Reshape", "Transpose", "Mul"];
        assert_eq!(operators(ops::Mul, [&[8, 16], &[8, 16]], [&[8, 16, 1], &[8, 1, 16]]), turned);
        assert_eq!(operators(ops::Mul, [&[1, 8, 16], &[8, 16]], [&[8, 1, 16], &[8, 16, 1]]), turned);
        let left = ["Reshape", "Reshape", "Mul"];
        assert_eq!(operators(ops::Mul, [&[8, 16], &[8, 4]], [&[8, 16, 1], &[8, 1, 4]]), left);
        assert_eq!(operators(ops::Mul, [&[8, 16], &[8, 16]], [&[128], &[128]]), left);
        assert_eq!(operators(ops::Add, [&[8, 16], &[8, 16]], [&[8, 16, 1], &[8, 1, 16]])[2], "Add");
    }
}
