//! A segment as a graph of its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::unit::Segment;
use crate::ir::{Builder, Graph, ValueId};
use autoneural_base::error::Result;

/// The nodes of a segment with their constants. Values keep their names, so that the encodings of the whole graph are
/// those of the part, and what one part makes is found by the next.
///
/// # Errors
/// A segment of another graph.
pub fn cut(graph: &Graph, segment: &Segment) -> Result<Graph> {
    let mut builder = Builder::new(segment.name.clone());
    let mut known: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    for &id in &segment.inputs {
        let value = graph.value(id);
        known.insert(id, builder.input(value.name.clone(), value.shape.clone(), value.element)?);
    }
    for node in &graph.nodes()[segment.nodes.clone()] {
        for &id in &node.inputs {
            if let (Entry::Vacant(free), Some(constant)) = (known.entry(id), graph.value(id).constant()) {
                free.insert(builder.constant(graph.value(id).name.clone(), constant.clone())?);
            }
        }
        let inputs: Vec<ValueId> = node.inputs.iter().map(|id| known[id]).collect();
        let outputs = builder.node_outputs(node.name.clone(), node.op.clone(), &inputs)?;
        known.extend(node.outputs.iter().copied().zip(outputs));
    }
    Ok(builder.finish(segment.outputs.iter().map(|id| known[id]).collect()))
}
