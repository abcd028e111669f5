//! Spells out what no ONNX operator or target does in one.

use super::rewrite::Rewrite;
use crate::error::Result;
use crate::ir::{Builder, Constant, Graph, Node, Op, ValueId, ops};

/// The graph with composite operators spelled out and normalizations moved to the last axis: ONNX has no operator for another
/// single axis.
pub fn legalize(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let rank = graph.value(node.outputs[0]).shape.len();
        let made = match &node.op {
            Op::Silu(_) => {
                let inputs = rewrite.inputs(node)?;
                silu(&mut rewrite.new, node, inputs[0])?
            }
            Op::Rope(_) => {
                let inputs = rewrite.inputs(node)?;
                rope(&mut rewrite.new, node, &inputs)?
            }
            Op::Attention(ops::Attention { scale }) => {
                let inputs = rewrite.inputs(node)?;
                attention(&mut rewrite.new, node, &inputs, *scale)?
            }
            Op::RmsNorm(ops::RmsNorm { axis, epsilon }) if *axis + 1 != rank => {
                let inputs = rewrite.inputs(node)?;
                norm_on_last_axis(&mut rewrite.new, node, &inputs, *axis, *epsilon)?
            }
            _ => {
                rewrite.copy(node)?;
                continue;
            }
        };
        rewrite.set(node.outputs[0], made);
    }
    rewrite.finish()
}

fn silu(b: &mut Builder, node: &Node, x: ValueId) -> Result<ValueId> {
    let gate = b.node(format!("{}.sigmoid", node.name), ops::Sigmoid, &[x])?;
    b.node(node.name.clone(), ops::Mul, &[x, gate])
}

fn rope(b: &mut Builder, node: &Node, inputs: &[ValueId]) -> Result<ValueId> {
    let name = &node.name;
    let [x, cos, sin] = inputs[..] else { unreachable!("shape inference checked the arity") };
    let halves = b.node_outputs(format!("{name}.halves"), ops::Split { axis: 3, parts: 2 }, &[x])?;
    let negated = b.node(format!("{name}.negated"), ops::Neg, &[halves[1]])?;
    let rotated = b.node(format!("{name}.rotated"), ops::Concat { axis: 3 }, &[negated, halves[0]])?;
    let along = b.node(format!("{name}.cos"), ops::Mul, &[x, cos])?;
    let across = b.node(format!("{name}.sin"), ops::Mul, &[rotated, sin])?;
    b.node(name.clone(), ops::Add, &[along, across])
}

/// Query heads that share keys are stacked as rows, so that each product is one batched matrix product per group.
fn attention(b: &mut Builder, node: &Node, inputs: &[ValueId], scale: f32) -> Result<ValueId> {
    let name = &node.name;
    let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
    let [_, heads, rows, size] = b.shape(q)[..] else { unreachable!("shape inference checked the rank") };
    let (groups, columns, value_size) = (b.shape(k)[1], b.shape(k)[3], b.shape(v)[3]);
    let stacked = vec![1, groups, heads / groups * rows, columns];
    let shape = vec![1, groups, heads / groups * rows, size];
    let q = b.node(format!("{name}.q"), ops::Reshape { shape }, &[q])?;
    let mut scores = b.node(format!("{name}.scores"), ops::MatMul, &[q, k])?;
    if scale != 1.0 {
        let factor = b.constant(format!("{name}.scale"), Constant::from_values(vec![scale], vec![1]))?;
        scores = b.node(format!("{name}.scaled"), ops::Mul, &[scores, factor])?;
    }
    if let Some(&mask) = inputs.get(3) {
        let shape = vec![1, heads, rows, columns];
        let by_head = b.node(format!("{name}.scores.heads"), ops::Reshape { shape }, &[scores])?;
        scores = b.node(format!("{name}.masked"), ops::Add, &[by_head, mask])?;
    }
    let mut weights = b.node(format!("{name}.probabilities"), ops::Softmax { axis: 3 }, &[scores])?;
    if inputs.len() > 3 {
        let op = ops::Reshape { shape: stacked };
        weights = b.node(format!("{name}.probabilities.groups"), op, &[weights])?;
    }
    let mixed = b.node(format!("{name}.context"), ops::MatMul, &[weights, v])?;
    b.node(name.clone(), ops::Reshape { shape: vec![1, heads, rows, value_size] }, &[mixed])
}

fn norm_on_last_axis(b: &mut Builder, node: &Node, inputs: &[ValueId], axis: usize, epsilon: f32) -> Result<ValueId> {
    let rank = b.shape(inputs[0]).len();
    let mut perm: Vec<usize> = (0..rank).filter(|&a| a != axis).collect();
    perm.push(axis);
    let mut back = vec![0; rank];
    perm.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    let x = b.node(format!("{}.in", node.name), ops::Transpose { perm }, &[inputs[0]])?;
    let y = b.node(format!("{}.norm", node.name), ops::RmsNorm { axis: rank - 1, epsilon }, &[x, inputs[1]])?;
    b.node(node.name.clone(), ops::Transpose { perm: back }, &[y])
}
