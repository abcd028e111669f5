//! Finds the values that must share one encoding: those that operators only move, and those of ports with the same key.

use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{ElementType, ValueId};
use crate::partition::Partition;
use crate::program::Group;

/// Classes of values that must share one encoding, as a union-find over the values of all partitions. Values of one
/// group with the same name are one key, because the graphs of a group share all encodings.
pub(crate) struct Ties {
    keys: BTreeMap<(Group, String), usize>,
    parent: Vec<usize>,
}

impl Ties {
    /// Finds the ties of a whole model.
    pub(crate) fn new(partitions: &[Partition]) -> Self {
        let mut ties = Ties { keys: BTreeMap::new(), parent: Vec::new() };
        let mut ports: BTreeMap<String, usize> = BTreeMap::new();
        for partition in partitions {
            let graph = &partition.graph;
            for (id, value) in graph.values() {
                if value.element == ElementType::F32 && value.constant().is_none() {
                    ties.key(partition, id);
                }
            }
            for node in graph.nodes().iter().filter(|node| node.op.moves_data_only()) {
                // Indices are moved, too, and have no encoding.
                let ids = node.outputs.iter().chain(&node.inputs).copied();
                let mut real = ids.filter(|&id| graph.value(id).element == ElementType::F32);
                let Some(first) = real.next().map(|id| ties.key(partition, id)) else { continue };
                for id in real {
                    let other = ties.key(partition, id);
                    ties.join(first, other);
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

    /// The groups that share a class with this one, itself among them.
    pub(crate) fn groups(&self, group: &Group) -> BTreeSet<Group> {
        let classes: BTreeSet<usize> = self.classes(group);
        let shares =
            |((other, _), &key): (&(Group, String), &usize)| classes.contains(&self.root(key)).then(|| other.clone());
        self.keys.iter().filter_map(shares).collect()
    }

    /// The numbers of the classes that values of a group belong to.
    pub(crate) fn classes(&self, group: &Group) -> BTreeSet<usize> {
        let own = self.keys.iter().filter(|((other, _), _)| other == group);
        own.map(|(_, &key)| self.root(key)).collect()
    }

    /// Number of the class that a value belongs to; `None` for values without an encoding.
    pub(crate) fn class(&self, group: &Group, name: &str) -> Option<usize> {
        self.keys.get(&(group.clone(), name.to_string())).map(|&key| self.root(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ops};
    use crate::partition::Port;
    use crate::passes::as_built;

    #[test]
    fn indices_that_are_moved_have_no_encoding() {
        let mut b = Builder::new("some");
        let ids = b.input("ids", vec![1, 2], ElementType::I32).unwrap();
        let table = b.constant("table", Constant::from_values(vec![1.0; 12], vec![4, 3])).unwrap();
        let flat = b.node("flat", ops::Reshape { shape: vec![2] }, &[ids]).unwrap();
        let rows = b.node("rows", ops::Gather { axis: 0 }, &[table, flat]).unwrap();
        let made = b.node("made", ops::Reshape { shape: vec![1, 2, 3] }, &[rows]).unwrap();
        let partition = Partition {
            name: "some".into(),
            group: Group::fixed("some"),
            graph: as_built(&b.finish(vec![made])).unwrap(),
            inputs: vec![Port { encoding_key: String::new(), ..Port::plain("ids".into()) }],
            outputs: vec![Port::plain("made".into())],
        };
        let ties = Ties::new(&[partition]);
        let names: Vec<&str> = ties.keys.keys().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["made", "rows", "table"]);
        assert_eq!(ties.root(0), ties.root(1));
    }
}
