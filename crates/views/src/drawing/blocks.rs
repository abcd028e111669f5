//! The blocks of a partition: in comes a graph, out come runs of nodes whose names begin with the same path, with the
//! values that go from one to another.

use std::collections::{BTreeMap, BTreeSet};

use autoneural_core::ir::{Graph, Node, ValueId};

/// Nodes of one block, in the order in which they run.
pub(crate) struct Block<'a> {
    /// What their names begin with, such as `blocks.1.3`.
    pub path: &'a str,
    /// The nodes.
    pub nodes: &'a [Node],
    /// Values from elsewhere than the block before: the graph's inputs, and what other blocks made. Constants are not
    /// among them.
    pub takes: Vec<ValueId>,
    /// Every value that it reads and does not make, constants apart.
    pub reads: Vec<ValueId>,
    /// Values that others read, or that leave the graph, with the blocks that read them by position.
    pub gives: Vec<(ValueId, BTreeSet<usize>)>,
}

/// The first part of a name and the numbers behind it.
fn path(name: &str) -> &str {
    let mut end = name.find('.').unwrap_or(name.len());
    while let Some(rest) = name.get(end + 1..) {
        let part = rest.split('.').next().unwrap_or_default();
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        end += 1 + part.len();
    }
    &name[..end]
}

/// The blocks of a graph. A block that others interrupt appears again.
pub(crate) fn blocks(graph: &Graph) -> Vec<Block<'_>> {
    let runs: Vec<&[Node]> = graph.nodes().chunk_by(|a, b| path(&a.name) == path(&b.name)).collect();
    let makers: BTreeMap<ValueId, usize> =
        runs.iter().enumerate().flat_map(|(at, run)| outputs(run).map(move |id| (id, at))).collect();
    let mut readers: BTreeMap<ValueId, BTreeSet<usize>> = BTreeMap::new();
    for (at, run) in runs.iter().enumerate() {
        for &id in run.iter().flat_map(|node| &node.inputs).filter(|id| makers.get(*id) != Some(&at)) {
            readers.entry(id).or_default().insert(at);
        }
    }
    let mut made = Vec::new();
    for (at, &run) in runs.iter().enumerate() {
        let mut takes = Vec::new();
        let mut reads = Vec::new();
        for &id in run.iter().flat_map(|node| &node.inputs) {
            let from_here_or_before = makers.get(&id).is_some_and(|&maker| maker == at || maker + 1 == at);
            if makers.get(&id) != Some(&at) && graph.value(id).constant().is_none() && !reads.contains(&id) {
                reads.push(id);
            }
            if !from_here_or_before && graph.value(id).constant().is_none() && !takes.contains(&id) {
                takes.push(id);
            }
        }
        let leaves = |id: &ValueId| readers.contains_key(id) || graph.outputs().contains(id);
        let gives = outputs(run).filter(leaves).map(|id| (id, readers.get(&id).cloned().unwrap_or_default()));
        made.push(Block { path: path(&run[0].name), nodes: run, takes, reads, gives: gives.collect() });
    }
    made
}

fn outputs(run: &[Node]) -> impl Iterator<Item = ValueId> {
    run.iter().flat_map(|node| node.outputs.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_block_is_a_name_with_its_numbers() {
        for (name, wanted) in [
            ("blocks.1.3.attn.key.proj", "blocks.1.3"),
            ("layers.10.conv.bcx.2", "layers.10"),
            ("conv_stem.bn.norm", "conv_stem"),
            ("act", "act"),
            ("a..1", "a"),
            ("a.1", "a.1"),
            (".é.2", ""),
            ("é.2", "é.2"),
        ] {
            assert_eq!(path(name), wanted, "{name}");
        }
    }
}
