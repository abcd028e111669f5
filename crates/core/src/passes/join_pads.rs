//! Pads as joins.

use super::rewrite::Rewrite;
use crate::ir::{Constant, Graph, Node, Op, ops};
use autoneural_base::error::Result;

/// The graph in which what is padded for a matrix product is joined with a constant instead, as in linear attention that
/// counts its keys by a column of ones. On the NPU a Pad behind a Split that a MatMul reads comes out wrong (4 dB, where
/// the join has the simulation's 45 dB; onnxruntime-qnn 2.7.0); by itself it is right.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn join_pads(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let Some((pad, number)) = for_product(graph, node) else {
            rewrite.copy(node)?;
            continue;
        };
        let axes: Vec<usize> = (0..pad.before.len()).filter(|&axis| pad.before[axis] + pad.after[axis] > 0).collect();
        let mut now = rewrite.get(node.inputs[0])?;
        for &axis in &axes {
            let constant = |rewrite: &mut Rewrite, side: &str, count: usize| {
                let mut shape = rewrite.new.graph().value(now).shape.clone();
                shape[axis] = count;
                let numbers = vec![number; shape.iter().product()];
                let name = rewrite.free(format!("{}.{side}", node.name));
                (count > 0).then(|| rewrite.new.constant(name, Constant::from_values(numbers, shape))).transpose()
            };
            let before = constant(&mut rewrite, "before", pad.before[axis])?;
            let behind = constant(&mut rewrite, "behind", pad.after[axis])?;
            let parts: Vec<_> = before.into_iter().chain([now]).chain(behind).collect();
            let name = match Some(&axis) == axes.last() {
                true => node.name.clone(),
                false => rewrite.free(format!("{}.joined", node.name)),
            };
            now = rewrite.new.node(name, ops::Concat { axis }, &parts)?;
        }
        rewrite.set(node.outputs[0], now);
    }
    rewrite.finish()
}

/// A pad that fills with a number, and the number, if a matrix product reads what it makes.
fn for_product<'a>(graph: &Graph, node: &'a Node) -> Option<(&'a ops::Pad, f32)> {
    let Op::Pad(pad) = &node.op else { return None };
    let ops::Padding::Constant(number) = pad.padding else { return None };
    let reads = |other: &Node| matches!(other.op, Op::MatMul(_)) && other.inputs.contains(&node.outputs[0]);
    let pads = pad.before.iter().chain(&pad.after).any(|&count| count > 0);
    (pads && graph.nodes().iter().any(reads)).then_some((pad, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType};

    fn operators(reader: impl Into<Op>) -> Vec<String> {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 4, 3], ElementType::F32).unwrap();
        let pad = ops::Pad { before: vec![0, 0, 1], after: vec![0, 2, 1], padding: ops::Padding::Constant(1.0) };
        let padded = b.node("padded", pad, &[x]).unwrap();
        let other = b.input("other", vec![1, 5, 6], ElementType::F32).unwrap();
        let reader = reader.into();
        let inputs = if matches!(reader, Op::MatMul(_)) { vec![other, padded] } else { vec![padded] };
        let y = b.node("y", reader, &inputs).unwrap();
        let made = join_pads(&b.finish(vec![y])).unwrap();
        made.nodes().iter().map(|node| format!("{} {:?}", node.op.name(), made.value(node.outputs[0]).shape)).collect()
    }

    #[test]
    fn what_a_product_reads_is_joined() {
        assert_eq!(operators(ops::MatMul), ["Concat [1, 6, 3]", "Concat [1, 6, 5]", "MatMul [1, 5, 5]"]);
        assert_eq!(operators(ops::Relu), ["Pad [1, 6, 5]", "Relu [1, 6, 5]"]);
    }
}
