//! What a small graph makes, in plain loops, for tests of passes.

use std::collections::HashMap;

use crate::ir::{Constant, Graph, ValueId};

/// The first output of a graph of one input.
pub fn run(graph: &Graph, input: &Constant) -> Constant {
    let mut known: HashMap<ValueId, Constant> = HashMap::from([(graph.inputs()[0], input.clone())]);
    for node in graph.nodes() {
        let of = |id: &ValueId| known.get(id).or_else(|| graph.value(*id).constant()).unwrap().clone();
        let inputs: Vec<Constant> = node.inputs.iter().map(of).collect();
        known.insert(node.outputs[0], node.op.evaluate(&inputs).unwrap().remove(0));
    }
    known[&graph.outputs()[0]].clone()
}
