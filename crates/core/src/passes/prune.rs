//! Drops nodes whose results nobody reads. Graph inputs stay: they are part of the contract.

use super::rewrite::Rewrite;
use crate::ir::Graph;
use autoneural_base::error::Result;

/// The graph without dead nodes and constants.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub fn prune(graph: &Graph) -> Result<Graph> {
    let mut live = vec![false; graph.values().count()];
    graph.outputs().iter().for_each(|id| live[id.index()] = true);
    for node in graph.nodes().iter().rev() {
        if node.outputs.iter().any(|id| live[id.index()]) {
            node.inputs.iter().for_each(|id| live[id.index()] = true);
        }
    }
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        if node.outputs.iter().any(|id| live[id.index()]) {
            rewrite.copy(node)?;
        }
    }
    rewrite.finish()
}
