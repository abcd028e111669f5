//! Cuts segments into smaller parts whose values can all be outputs, to measure the layers in them.

use std::ops::Range;

use super::border::Border;
use super::cut::cut_with;
use super::pieces::pieces;
use super::unit::Segment;
use crate::ir::{Constant, Value, ValueId};
use crate::partition::{Partition, Port};
use crate::passes::Frozen;
use crate::quantize::Table;
use autoneural_base::error::Result;

/// Cuts the segments of a partition into parts whose nodes make values of at most `most` bytes together. All values
/// that a part makes are its outputs, in the order in which they are made.
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
        // A node that alone makes more than `most` bytes raises the limit, so that it can be a part of its own.
        let largest = weights.iter().map(|values| values.iter().map(|(_, bytes)| bytes).sum()).max().unwrap_or(0);
        let cuts = pieces(&weights, &border.bytes()[start..], most.max(largest)).unwrap_or_default();
        for cut in cuts {
            let nodes = start + cut.start..start + cut.end;
            made.push(opened(partition, &border, segment, nodes, made.len()));
        }
    }
    Ok(made)
}

/// Cuts such a part into two of as many nodes; `None` if it has a single one.
///
/// # Errors
/// The table belongs to another graph.
pub fn halves(partition: &Partition, table: &Table, segment: &Segment) -> Result<Option<[Segment; 2]>> {
    let (border, nodes) = (Border::new(&partition.graph, table)?, segment.nodes.clone());
    let middle = nodes.start + nodes.len() / 2;
    let half = |nodes, number| opened(partition, &border, segment, nodes, number);
    Ok((nodes.len() > 1).then(|| [half(nodes.start..middle, 0), half(middle..nodes.end, 1)]))
}

/// Some nodes of a segment, of which all that they make are outputs.
fn opened(partition: &Partition, border: &Border, segment: &Segment, nodes: Range<usize>, number: usize) -> Segment {
    let outputs = partition.graph.nodes()[nodes.clone()].iter().flat_map(|node| &node.outputs).copied().collect();
    let (name, inputs) = (format!("{}.layers.{number}", partition.name), border.inputs(nodes.clone()));
    Segment { name, nodes, inputs, outputs, ..segment.clone() }
}

/// A part of a partition as a partition of its own. Its ports have no roles, and are tied to no others.
///
/// # Errors
/// The segment belongs to another partition.
pub fn part(partition: &Partition, segment: &Segment) -> Result<Partition> {
    part_with(partition, segment, &|_, constant| constant.clone())
}

/// As [`part`], with the constants that `own` gives in place of the partition's.
///
/// # Errors
/// As for [`part`], or a constant of another shape.
pub fn part_with(
    partition: &Partition,
    segment: &Segment,
    own: &dyn Fn(&Value, &Constant) -> Constant,
) -> Result<Partition> {
    let ports = |ids: &[ValueId]| {
        let name = |id: &ValueId| partition.graph.value(*id).name.clone();
        let port = |id| Port::plain(name(id));
        ids.iter().map(port).collect()
    };
    Ok(Partition {
        name: segment.name.clone(),
        group: partition.group.clone(),
        graph: Frozen::new(cut_with(&partition.graph, segment, own)?)?,
        inputs: ports(&segment.inputs),
        outputs: ports(&segment.outputs),
    })
}
