//! Programs: what a model is once its graphs are built: graphs in groups.

mod group;

pub use group::Group;

use crate::partition::Partition;

/// The groups of graphs, each once, in the order of their first graphs: that in which samples reach them.
pub fn groups(graphs: &[Partition]) -> Vec<Group> {
    let mut made: Vec<Group> = Vec::new();
    for graph in graphs {
        if !made.contains(&graph.group) {
            made.push(graph.group.clone());
        }
    }
    made
}
