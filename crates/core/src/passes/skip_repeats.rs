//! Reads what a broadcast repeats anyway before it is repeated.

use super::rewrite::{Links, Rewrite};
use crate::ir::{Graph, Node, Op, ValueId, ops};
use autoneural_base::error::Result;

/// The graph in which sums, products and their like read what others repeat along an axis for them, as exporters write
/// `normalize(x)`: a length for each row, repeated to the size of the row, by which the row is divided. Run
/// [`super::prune()`] after it: the repeats are still there.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn skip_repeats(graph: &Graph) -> Result<Graph> {
    let links = Links::new(graph);
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let Some(short) = shortened(graph, &links, node) else {
            rewrite.copy(node)?;
            continue;
        };
        let inputs = [rewrite.get(short[0])?, rewrite.get(short[1])?];
        let made = rewrite.new.node(node.name.clone(), node.op.clone(), &inputs)?;
        rewrite.set(node.outputs[0], made);
    }
    rewrite.finish()
}

/// The inputs of a node without their repeats; none where there are none, or none that broadcasting makes up for.
fn shortened(graph: &Graph, links: &Links, node: &Node) -> Option<[ValueId; 2]> {
    let broadcasts =
        matches!(node.op, Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_) | Op::Max(_) | Op::Min(_) | Op::Pow(_));
    let (true, &[a, b]) = (broadcasts, node.inputs.as_slice()) else { return None };
    let mut inputs = [a, b];
    let mut is_shorter = false;
    for at in [0, 1] {
        while let Some(from) = repeated(graph, links, inputs[at]) {
            let mut tried = inputs;
            tried[at] = from;
            let shapes = tried.map(|id| (&graph.value(id).shape, graph.value(id).element));
            let made = node.op.infer(&shapes).ok()?;
            if made[0].0 != graph.value(node.outputs[0]).shape {
                break;
            }
            (inputs, is_shorter) = (tried, true);
        }
    }
    is_shorter.then_some(inputs)
}

/// What a value is made of that holds it again and again along an axis of size 1.
fn repeated(graph: &Graph, links: &Links, id: ValueId) -> Option<ValueId> {
    let node = &graph.nodes()[links.maker[id.index()]?];
    let Op::Concat(ops::Concat { axis }) = node.op else { return None };
    // A join of one value is that value.
    let is_longer = graph.value(id).shape[axis] > 1;
    if is_longer { one(graph, links, id, axis) } else { None }
}

/// The value of size 1 along an axis of which all of a join of joins is made.
fn one(graph: &Graph, links: &Links, id: ValueId, axis: usize) -> Option<ValueId> {
    if graph.value(id).shape[axis] == 1 {
        return Some(id);
    }
    let node = &graph.nodes()[links.maker[id.index()]?];
    let Op::Concat(ops::Concat { axis: along }) = node.op else { return None };
    if along != axis {
        return None;
    }
    let mut parts = node.inputs.clone();
    parts.dedup();
    let first = one(graph, links, parts[0], axis)?;
    parts[1..].iter().all(|&part| one(graph, links, part, axis) == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType};
    use crate::passes::prune::prune;

    /// Rows by their lengths, which `repeat` brings to the size of the row; and the lengths, repeated, by themselves.
    fn rows(repeat: impl Fn(&mut Builder, ValueId) -> ValueId, alone: bool) -> Graph {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 3], ElementType::F32).unwrap();
        let length = b.node("length", ops::ReduceL2 { axes: vec![1], keepdims: true }, &[x]).unwrap();
        let repeated = repeat(&mut b, length);
        let y = match alone {
            true => b.node("y", ops::Div, &[repeated, repeated]).unwrap(),
            false => b.node("y", ops::Div, &[x, repeated]).unwrap(),
        };
        b.finish(vec![y])
    }

    fn joined(b: &mut Builder, x: ValueId) -> ValueId {
        b.node("repeated", ops::Concat { axis: 1 }, &[x; 3]).unwrap()
    }

    fn joined_twice(b: &mut Builder, x: ValueId) -> ValueId {
        let part = b.node("part", ops::Concat { axis: 1 }, &[x; 2]).unwrap();
        b.node("repeated", ops::Concat { axis: 1 }, &[part, x]).unwrap()
    }

    fn operators(graph: &Graph) -> Vec<&'static str> {
        graph.nodes().iter().map(|node| node.op.name()).collect()
    }

    #[test]
    fn what_broadcasting_repeats_is_not_repeated_before() {
        for repeat in [joined, joined_twice] {
            let made = prune(&skip_repeats(&rows(repeat, false)).unwrap()).unwrap();
            assert_eq!(operators(&made), ["ReduceL2", "Div"]);
            assert_eq!(made.value(made.outputs()[0]).shape, [2, 3]);
        }
    }

    #[test]
    fn a_join_of_one_value_repeats_nothing() {
        let graph = rows(|b, x| b.node("alone", ops::Concat { axis: 1 }, &[x]).unwrap(), false);
        assert_eq!(skip_repeats(&graph).unwrap().to_string(), graph.to_string());
    }

    #[test]
    fn what_makes_the_result_larger_stays() {
        // One of both has to keep its size.
        let made = prune(&skip_repeats(&rows(joined, true)).unwrap()).unwrap();
        assert_eq!(operators(&made), ["ReduceL2", "Concat", "Div"]);
        let other = |b: &mut Builder, x: ValueId| {
            let turned = b.node("turned", ops::Transpose { perm: vec![1, 0] }, &[x]).unwrap();
            let rows = b.node("rows", ops::Concat { axis: 0 }, &[turned, turned]).unwrap();
            b.node("last", ops::Slice { axis: 1, start: 0, end: 1 }, &[rows]).unwrap()
        };
        let graph = rows(other, false);
        assert_eq!(skip_repeats(&graph).unwrap().to_string(), graph.to_string());
    }
}
