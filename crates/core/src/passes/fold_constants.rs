//! Computes at compile time what depends on constants only.

use super::rewrite::Rewrite;
use crate::error::{Error, Result};
use crate::ir::ops::Work;
use crate::ir::{Graph, Node, Op, Shape};

/// Most products that are added up at compile time, in plain loops.
const MOST_MULTIPLY_ADDS: u64 = 1 << 26;

/// The graph with nodes that read nothing but constants replaced by their values.
pub fn fold_constants(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &id in &node.inputs {
            let id = rewrite.get(id)?;
            inputs.extend(rewrite.new.graph().value(id).constant().cloned());
        }
        if inputs.len() < node.inputs.len() || !is_folded(graph, node) {
            rewrite.copy(node)?;
            continue;
        }
        let made = node.op.evaluate(&inputs).map_err(|message| Error::internal(&node.name, message))?;
        for (&output, constant) in node.outputs.iter().zip(made) {
            let made = rewrite.new.constant(graph.value(output).name.clone(), constant)?;
            rewrite.set(output, made);
        }
    }
    rewrite.finish()
}

/// Whether a node of constants is computed here. A change of encoding is one for constants too.
fn is_folded(graph: &Graph, node: &Node) -> bool {
    let inputs: Vec<&Shape> = node.inputs.iter().map(|&id| &graph.value(id).shape).collect();
    let cost = node.op.multiply_adds(&inputs, &graph.value(node.outputs[0]).shape);
    match (&node.op, node.op.work()) {
        (Op::Requantize(_), _) => false,
        (_, Work::Moves | Work::Elementwise) => true,
        (_, Work::Computes) => cost <= MOST_MULTIPLY_ADDS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType, ops};

    #[test]
    fn a_sum_of_constants_becomes_a_constant() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 2], ElementType::F32).unwrap();
        let c = b.constant("c", Constant::from_values(vec![1., 2., 3., 4.], vec![2, 2])).unwrap();
        let d = b.constant("d", Constant::from_values(vec![10., 20.], vec![2])).unwrap();
        let t = b.node("t", ops::Transpose { perm: vec![1, 0] }, &[c]).unwrap();
        let s = b.node("s", ops::Add, &[t, d]).unwrap();
        let y = b.node("y", ops::Add, &[x, s]).unwrap();
        let folded = super::super::prune(&fold_constants(&b.finish(vec![y])).unwrap()).unwrap();
        assert_eq!(folded.nodes().len(), 1);
        let s = folded.find("s").unwrap();
        assert_eq!(folded.value(s).constant().unwrap().to_f32(), [11., 23., 12., 24.]);
    }
}
