//! Which values must share one encoding: what operators only move, and what ports with the same key hand over.

use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{ElementType, Node, ValueId};
use crate::partition::Partition;
use crate::program::Group;

/// Union-find over the values of all partitions. Values of one group with the same name are one key: graphs of
/// a group share their encodings throughout.
pub struct Ties {
    keys: BTreeMap<(Group, String), usize>,
    parent: Vec<usize>,
}

impl Ties {
    /// Finds the ties of a whole model.
    pub fn new(partitions: &[Partition]) -> Self {
        let mut ties = Ties { keys: BTreeMap::new(), parent: Vec::new() };
        let mut ports: BTreeMap<String, usize> = BTreeMap::new();
        for partition in partitions {
            let graph = &partition.graph;
            for (id, value) in graph.values() {
                if value.element == ElementType::F32 && value.constant().is_none() {
                    ties.key(partition, id);
                }
            }
            let moves_reals =
                |node: &&Node| node.op.moves_data_only() && graph.value(node.outputs[0]).element == ElementType::F32;
            for node in graph.nodes().iter().filter(moves_reals) {
                let first = ties.key(partition, node.outputs[0]);
                for &id in node.inputs.iter().chain(&node.outputs) {
                    if graph.value(id).element == ElementType::F32 {
                        let other = ties.key(partition, id);
                        ties.join(first, other);
                    }
                }
            }
            let ids = graph.inputs().iter().chain(graph.outputs());
            for (&id, port) in ids.zip(partition.inputs.iter().chain(&partition.outputs)) {
                if !port.encoding_key.is_empty() {
                    let key = ties.key(partition, id);
                    let first = *ports.entry(port.encoding_key.clone()).or_insert(key);
                    ties.join(first, key);
                }
            }
        }
        ties
    }

    fn key(&mut self, partition: &Partition, id: ValueId) -> usize {
        let name = (partition.group.clone(), partition.graph.value(id).name.clone());
        let next = self.parent.len();
        let key = *self.keys.entry(name).or_insert(next);
        if key == next {
            self.parent.push(next);
        }
        key
    }

    fn root(&self, mut key: usize) -> usize {
        while self.parent[key] != key {
            key = self.parent[key];
        }
        key
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The smaller number stays the root, so that the result does not depend on the order of joins.
        self.parent[a.max(b)] = a.min(b);
    }

    /// Groups that have values in a class with values of this one, itself among them.
    pub fn groups(&self, group: &Group) -> BTreeSet<Group> {
        let classes: BTreeSet<usize> = self.classes(group);
        let shares =
            |((other, _), &key): (&(Group, String), &usize)| classes.contains(&self.root(key)).then(|| other.clone());
        self.keys.iter().filter_map(shares).collect()
    }

    /// The classes that values of a group belong to.
    pub fn classes(&self, group: &Group) -> BTreeSet<usize> {
        let own = self.keys.iter().filter(|((other, _), _)| other == group);
        own.map(|(_, &key)| self.root(key)).collect()
    }

    /// Number of the class that a value belongs to; `None` for values without an encoding.
    pub fn class(&self, group: &Group, name: &str) -> Option<usize> {
        self.keys.get(&(group.clone(), name.to_string())).map(|&key| self.root(key))
    }
}
