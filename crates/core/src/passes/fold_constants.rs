//! Computes at compile time what depends on constants only.

use super::rewrite::Rewrite;
use crate::error::Result;
use crate::ir::{Constant, Graph, Node, Op, Shape};

/// The graph with moves, sums and products of constants replaced by their values.
pub fn fold_constants(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &id in &node.inputs {
            let id = rewrite.get(id)?;
            inputs.extend(rewrite.new.graph().value(id).constant().cloned());
        }
        let folded = if inputs.len() == node.inputs.len() { fold(graph, node, &inputs) } else { None };
        match folded {
            Some(constant) => {
                let made = rewrite.new.constant(node.name.clone(), constant)?;
                rewrite.set(node.outputs[0], made);
            }
            None => rewrite.copy(node)?,
        }
    }
    rewrite.finish()
}

fn fold(graph: &Graph, node: &Node, inputs: &[Constant]) -> Option<Constant> {
    let shape = &graph.value(node.outputs[0]).shape;
    match &node.op {
        Op::Transpose { perm } => Some(inputs[0].permuted(perm)),
        Op::Reshape { shape } => Some(inputs[0].reshaped(shape.clone())),
        Op::Neg => {
            let values = inputs[0].to_f32().into_iter().map(|v| -v).collect();
            Some(Constant::from_values(values, shape.clone()))
        }
        Op::Add => Some(combine(inputs, shape, |a, b| a + b)),
        Op::Mul => Some(combine(inputs, shape, |a, b| a * b)),
        _ => None,
    }
}

fn combine(inputs: &[Constant], shape: &Shape, with: impl Fn(f32, f32) -> f32) -> Constant {
    let (a, b) = (inputs[0].to_f32(), inputs[1].to_f32());
    let count = shape.iter().product();
    let values = (0..count)
        .map(|at| with(a[source(at, shape, inputs[0].shape())], b[source(at, shape, inputs[1].shape())]))
        .collect();
    Constant::from_values(values, shape.clone())
}

/// Position in a broadcast operand of element `at` of the result.
fn source(at: usize, shape: &Shape, operand: &Shape) -> usize {
    let (mut rest, mut stride, mut position) = (at, 1, 0);
    let missing = shape.len() - operand.len();
    for axis in (0..shape.len()).rev() {
        let index = rest % shape[axis];
        rest /= shape[axis];
        if axis >= missing {
            let size = operand[axis - missing];
            if size > 1 {
                position += index * stride;
            }
            stride *= size;
        }
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType};

    #[test]
    fn a_sum_of_constants_becomes_a_constant() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 2], ElementType::F32).unwrap();
        let c = b.constant("c", Constant::from_values(vec![1., 2., 3., 4.], vec![2, 2])).unwrap();
        let d = b.constant("d", Constant::from_values(vec![10., 20.], vec![2])).unwrap();
        let t = b.node("t", Op::Transpose { perm: vec![1, 0] }, &[c]).unwrap();
        let s = b.node("s", Op::Add, &[t, d]).unwrap();
        let y = b.node("y", Op::Add, &[x, s]).unwrap();
        let folded = super::super::prune(&fold_constants(&b.finish(vec![y])).unwrap()).unwrap();
        assert_eq!(folded.nodes().len(), 1);
        let s = folded.find("s").unwrap();
        assert_eq!(folded.value(s).constant().unwrap().to_f32(), [11., 23., 12., 24.]);
    }
}
