//! Segments cut smaller, so that everything that is made in them can leave at once: how layers are measured.

use super::border::Border;
use super::cut::cut;
use super::pieces::pieces;
use super::unit::Segment;
use crate::ir::ValueId;
use crate::partition::{Partition, Port};
use crate::passes::Frozen;
use crate::quantize::Table;
use autoneural_base::error::Result;

/// Cuts the segments of a partition where the values that are made in them have more than `most` bytes. Of each part
/// all that it makes is an output, in the order in which it is made.
///
/// # Errors
/// The table belongs to another graph.
pub fn inside(partition: &Partition, table: &Table, segments: &[Segment], most: u64) -> Result<Vec<Segment>> {
    let graph = &partition.graph;
    let border = Border::new(graph, table)?;
    let mut made = Vec::new();
    for segment in segments {
        let (start, nodes) = (segment.nodes.start, &graph.nodes()[segment.nodes.clone()]);
        let bytes = |id: &ValueId| Ok((*id, table.bytes_of(graph.value(*id))?));
        let weights: Vec<Vec<(ValueId, u64)>> =
            nodes.iter().map(|node| node.outputs.iter().map(bytes).collect()).collect::<Result<_>>()?;
        // A node of which more is made than leaves at once is a part of its own.
        let largest = weights.iter().map(|values| values.iter().map(|(_, bytes)| bytes).sum()).max().unwrap_or(0);
        let cuts = pieces(&weights, &border.bytes()[start..], most.max(largest)).unwrap_or_default();
        for cut in cuts {
            let nodes = start + cut.start..start + cut.end;
            let outputs = graph.nodes()[nodes.clone()].iter().flat_map(|node| &node.outputs).copied().collect();
            let (name, inputs) = (format!("{}.layers.{}", partition.name, made.len()), border.inputs(nodes.clone()));
            made.push(Segment { name, nodes, inputs, outputs, ..segment.clone() });
        }
    }
    Ok(made)
}

/// A part of a partition as a partition of its own. No port of it has a contract but its encoding.
///
/// # Errors
/// A segment of another partition.
pub fn part(partition: &Partition, segment: &Segment) -> Result<Partition> {
    let ports = |ids: &[ValueId]| {
        let name = |id: &ValueId| partition.graph.value(*id).name.clone();
        let port = |id| Port::plain(name(id));
        ids.iter().map(port).collect()
    };
    Ok(Partition {
        name: segment.name.clone(),
        group: partition.group.clone(),
        graph: Frozen::new(cut(&partition.graph, segment)?)?,
        inputs: ports(&segment.inputs),
        outputs: ports(&segment.outputs),
    })
}
