//! Graphs in plain loops: the float reference of each operator, node by node.

use std::collections::HashMap;

use autoneural_core::ir::{Constant, Graph, ValueId};

/// The outputs of a graph for these inputs, row-major.
pub fn run(graph: &Graph, inputs: &[Constant]) -> Vec<Vec<f32>> {
    let mut known: HashMap<ValueId, Constant> = graph.inputs().iter().copied().zip(inputs.iter().cloned()).collect();
    let constants = graph.values().filter_map(|(id, value)| Some((id, value.constant()?.clone())));
    known.extend(constants);
    for node in graph.nodes() {
        let given: Vec<Constant> = node.inputs.iter().map(|id| known[id].clone()).collect();
        let made = node.op.evaluate(&given).unwrap_or_else(|error| panic!("{}: {error}", node.name));
        known.extend(node.outputs.iter().copied().zip(made));
    }
    graph.outputs().iter().map(|id| known[id].to_f32()).collect()
}
