//! Graphs in plain loops: the float reference of each operator, node by node.

use std::collections::{BTreeMap, HashMap};

use autoneural_core::ir::{Constant, Graph, ValueId};

/// The outputs of a graph for these inputs, row-major.
pub fn run(graph: &Graph, inputs: &[Constant]) -> Vec<Vec<f32>> {
    let known = all(graph, inputs);
    graph.outputs().iter().map(|id| known[id].to_f32()).collect()
}

/// Every value of a graph for these inputs, by name.
pub fn values(graph: &Graph, inputs: &[Constant]) -> BTreeMap<String, Constant> {
    all(graph, inputs).into_iter().map(|(id, value)| (graph.value(id).name.clone(), value)).collect()
}

fn all(graph: &Graph, inputs: &[Constant]) -> HashMap<ValueId, Constant> {
    let mut known: HashMap<ValueId, Constant> = graph.inputs().iter().copied().zip(inputs.iter().cloned()).collect();
    let constants = graph.values().filter_map(|(id, value)| Some((id, value.constant()?.clone())));
    known.extend(constants);
    for node in graph.nodes() {
        let given: Vec<Constant> = node.inputs.iter().map(|id| known[id].clone()).collect();
        let made = node.op.evaluate(&given).unwrap_or_else(|error| panic!("{}: {error}", node.name));
        known.extend(node.outputs.iter().copied().zip(made));
    }
    known
}
