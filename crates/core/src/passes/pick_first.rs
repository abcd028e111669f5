//! Moves integers behind the pick that they say.

use super::rewrite::{Links, Rewrite};
use crate::ir::{Graph, Node, Op, ValueId, ops};
use autoneural_base::error::Result;

/// The graph in which what moves integers before they pick elements moves the elements behind the pick: tokens that are
/// turned, or brought into another shape, before they pick their embeddings. A target moves real numbers; integers have no
/// encoding in which it could move them. Run [`super::prune()`] after it: the moves of the integers are still there.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn pick_first(graph: &Graph) -> Result<Graph> {
    let links = Links::new(graph);
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let (moves, indices) = moved(graph, &links, node);
        let (Op::Gather(ops::Gather { axis }), false) = (&node.op, moves.is_empty()) else {
            rewrite.copy(node)?;
            continue;
        };
        let inputs = [rewrite.get(node.inputs[0])?, rewrite.get(indices)?];
        let name = rewrite.free(format!("{}.picked", node.name));
        let mut made = rewrite.new.node(name, node.op.clone(), &inputs)?;
        for (at, (op, before)) in moves.iter().enumerate() {
            let op = of_elements(op, *axis, (before, &rewrite.new.graph().value(made).shape));
            let name = match at + 1 == moves.len() {
                true => node.name.clone(),
                false => rewrite.free(format!("{}.moved", node.name)),
            };
            made = rewrite.new.node(name, op, &[made])?;
        }
        rewrite.set(node.outputs[0], made);
    }
    rewrite.finish()
}

/// What moves the integers by which a node picks, in the order in which it does so, with the shape of what each moves;
/// and the integers before.
fn moved<'a>(graph: &'a Graph, links: &Links, node: &Node) -> (Vec<(&'a Op, &'a [usize])>, ValueId) {
    let mut id = *node.inputs.last().unwrap_or(&node.outputs[0]);
    let mut made = Vec::new();
    if !matches!(node.op, Op::Gather(_)) {
        return (made, id);
    }
    while let Some(maker) = links.maker[id.index()].map(|at| &graph.nodes()[at]) {
        let is_move = matches!(maker.op, Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_));
        if !is_move || graph.value(id).element.is_real() {
            break;
        }
        id = maker.inputs[0];
        made.push((&maker.op, graph.value(id).shape.as_slice()));
    }
    made.reverse();
    (made, id)
}

/// The same move of picked elements: the axes of the integers, of shape `before`, stand in place of the axis that was
/// picked from in the shape `whole`.
fn of_elements(op: &Op, axis: usize, (before, whole): (&[usize], &[usize])) -> Op {
    let behind = axis + before.len();
    match op {
        Op::Reshape(ops::Reshape { shape }) => {
            ops::Reshape { shape: [&whole[..axis], shape, &whole[behind..]].concat() }.into()
        }
        Op::Transpose(ops::Transpose { perm }) => {
            let turned = perm.iter().map(|from| axis + from);
            ops::Transpose { perm: (0..axis).chain(turned).chain(behind..whole.len()).collect() }.into()
        }
        Op::Slice(slice) => ops::Slice { axis: axis + slice.axis, ..slice.clone() }.into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType};
    use crate::passes::prune::prune;
    use crate::passes::run::run;

    #[test]
    fn elements_are_moved_and_not_the_integers_that_pick_them() {
        for axis in [0, 1, 2] {
            let mut b = Builder::new("g");
            let ids = b.input("ids", vec![2, 3], ElementType::I64).unwrap();
            let turned = b.node("turned", ops::Transpose { perm: vec![1, 0] }, &[ids]).unwrap();
            let cut = b.node("cut", ops::Slice { axis: 0, start: 1, end: 3 }, &[turned]).unwrap();
            let flat = b.node("flat", ops::Reshape { shape: vec![4] }, &[cut]).unwrap();
            let numbers = (0..5 * 5 * 5).map(|at| at as f32).collect();
            let table = b.constant("table", Constant::from_values(numbers, vec![5, 5, 5])).unwrap();
            let y = b.node("y", ops::Gather { axis }, &[table, flat]).unwrap();
            let graph = b.finish(vec![y]);
            let made = prune(&pick_first(&graph).unwrap()).unwrap();
            let operators: Vec<&str> = made.nodes().iter().map(|node| node.op.name()).collect();
            assert_eq!(operators, ["Gather", "Transpose", "Slice", "Reshape"]);
            let ids = Constant::from_integers(ElementType::I64, vec![0, 1, 2, 3, 4, 1], vec![2, 3]);
            assert_eq!(run(&made, &ids).to_f32(), run(&graph, &ids).to_f32(), "{axis}");
        }
    }
}
