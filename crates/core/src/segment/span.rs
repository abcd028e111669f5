//! Nodes that follow each other, as a segment to run alone, when there are no encodings yet.

use std::collections::BTreeSet;
use std::ops::Range;

use super::unit::{Device, Segment};
use crate::ir::ValueId;
use crate::partition::Partition;

/// Nodes of a partition with what they read, in the order in which they read it, and with what of that which they make
/// later nodes read or leaves the graph.
pub fn span(partition: &Partition, nodes: Range<usize>) -> Segment {
    let graph = &partition.graph;
    let (own, later) = (&graph.nodes()[nodes.clone()], &graph.nodes()[nodes.end..]);
    let (mut known, mut inputs) = (BTreeSet::new(), Vec::new());
    for node in own {
        let read = node.inputs.iter().filter(|&&id| graph.value(id).constant().is_none());
        inputs.extend(read.filter(|&&id| known.insert(id)));
        known.extend(&node.outputs);
    }
    let wanted: BTreeSet<ValueId> =
        later.iter().flat_map(|node| &node.inputs).chain(graph.outputs()).copied().collect();
    let made = own.iter().flat_map(|node| &node.outputs).copied();
    let outputs = made.filter(|id| wanted.contains(id)).collect();
    let name = format!("{}.{}", partition.name, nodes.start);
    Segment { name, device: Device::Cpu, nodes, inputs, outputs, why: vec![] }
}
