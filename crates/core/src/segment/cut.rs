//! A segment as a graph of its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::unit::Segment;
use crate::ir::{Builder, Constant, Graph, Value, ValueId};
use autoneural_base::error::Result;

/// A graph of the nodes of a segment with their constants. Values keep their names, so that the encodings of the whole
/// graph hold for the part, and the outputs of one part are found as inputs of the next.
///
/// # Errors
/// The segment belongs to another graph.
pub fn cut(graph: &Graph, segment: &Segment) -> Result<Graph> {
    cut_with(graph, segment, &|_, constant| constant.clone())
}

/// As [`cut`], with the constants that `own` gives in place of the graph's.
///
/// # Errors
/// As for [`cut`], or a constant of another shape.
pub(crate) fn cut_with(graph: &Graph, segment: &Segment, own: &dyn Fn(&Value, &Constant) -> Constant) -> Result<Graph> {
    let mut builder = Builder::new(segment.name.clone());
    let mut known: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    for &id in &segment.inputs {
        let value = graph.value(id);
        known.insert(id, builder.input(value.name.clone(), value.shape.clone(), value.element)?);
    }
    for node in &graph.nodes()[segment.nodes.clone()] {
        for &id in &node.inputs {
            if let (Entry::Vacant(free), Some(constant)) = (known.entry(id), graph.value(id).constant()) {
                let value = graph.value(id);
                free.insert(builder.constant(value.name.clone(), own(value, constant))?);
            }
        }
        let inputs: Vec<ValueId> = node.inputs.iter().map(|id| known[id]).collect();
        let names = node.outputs.iter().map(|&id| graph.value(id).name.clone()).collect();
        let outputs = builder.node_of(names, node.op.clone(), &inputs)?;
        known.extend(node.outputs.iter().copied().zip(outputs));
    }
    Ok(builder.finish(segment.outputs.iter().map(|id| known[id]).collect()))
}
