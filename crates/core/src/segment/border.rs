//! Which values cross a cut between two nodes, and which a run of nodes reads and makes.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::ir::{Graph, ValueId};
use crate::quantize::Table;
use autoneural_base::error::Result;

/// Where the values of a graph are made and last read.
pub(crate) struct Border<'a> {
    graph: &'a Graph,
    /// The last node that reads each value; `None` if no node does.
    last_read: Vec<Option<usize>>,
    bytes: Vec<u64>,
}

impl<'a> Border<'a> {
    /// The borders of a graph, with the encodings of its table.
    ///
    /// # Errors
    /// The table belongs to another graph.
    pub(crate) fn new(graph: &'a Graph, table: &Table) -> Result<Self> {
        let mut last_read = vec![None; graph.values().count()];
        for (at, node) in graph.nodes().iter().enumerate() {
            node.inputs.iter().for_each(|id| last_read[id.index()] = Some(at));
        }
        let mut bytes = vec![0; graph.nodes().len() + 1];
        for (at, node) in graph.nodes().iter().enumerate() {
            for &id in &node.outputs {
                let Some(last) = last_read[id.index()] else { continue };
                let size = table.bytes_of(graph.value(id))?;
                bytes[at + 1..=last].iter_mut().for_each(|place| *place += size);
            }
        }
        Ok(Border { graph, last_read, bytes })
    }

    /// For each place between two nodes, the bytes of all values that are made before it and read after it, in their
    /// integers. Entry `p` is the place before node `p`. Inputs of the graph do not count: they come from the host
    /// wherever they are read. A value that passes several cuts counts at each of them, because each time it moves from
    /// one device to the other.
    pub(crate) fn bytes(&self) -> &[u64] {
        &self.bytes
    }

    /// Values that these nodes read and do not make, without constants, in the order in which they are read.
    pub(crate) fn inputs(&self, nodes: Range<usize>) -> Vec<ValueId> {
        let (mut known, mut made) = (BTreeSet::new(), Vec::new());
        for node in &self.graph.nodes()[nodes] {
            let given = node.inputs.iter().filter(|&&id| self.graph.value(id).constant().is_none());
            made.extend(given.filter(|&&id| known.insert(id)));
            known.extend(&node.outputs);
        }
        made
    }

    /// Values that these nodes make, and that later nodes read or that are outputs of the graph, in the order in which
    /// they are made.
    pub(crate) fn outputs(&self, nodes: Range<usize>) -> Vec<ValueId> {
        let leaves = |id: &&ValueId| {
            self.last_read[id.index()].is_some_and(|last| last >= nodes.end) || self.graph.outputs().contains(id)
        };
        self.graph.nodes()[nodes.clone()].iter().flat_map(|node| &node.outputs).filter(leaves).copied().collect()
    }
}
