//! Ranges of every graph by itself, as one run or one shard of the samples saw them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{MinMax, StatisticsTable};
use crate::partition::Partition;
use crate::program::Group;

/// The ranges of a graph's values, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OfGraph {
    group: Group,
    graph: String,
    values: BTreeMap<String, MinMax>,
}

/// Ranges by graph. Graphs are in the order in which they were first watched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<OfGraph>);

impl Ranges {
    /// The place of a graph, which is added behind the others where it is new.
    pub(super) fn place(&mut self, group: &Group, graph: &str) -> usize {
        let known = self.0.iter().position(|of| of.group == *group && of.graph == graph);
        known.unwrap_or_else(|| {
            self.0.push(OfGraph { group: group.clone(), graph: graph.to_string(), values: BTreeMap::new() });
            self.0.len() - 1
        })
    }

    /// Adds numbers of a value in one run of the graph at a place.
    pub(super) fn observe(&mut self, place: usize, name: &str, values: &[f32]) {
        let ranges = &mut self.0[place].values;
        match ranges.get_mut(name) {
            Some(range) => range.observe(values),
            None => ranges.entry(name.to_string()).or_default().observe(values),
        }
    }

    /// Adds what later samples saw.
    pub fn merge(&mut self, later: &Ranges) {
        for OfGraph { group, graph, values } in &later.0 {
            let place = self.place(group, graph);
            let own = &mut self.0[place].values;
            values.iter().for_each(|(name, range)| own.entry(name.clone()).or_default().merge(range));
        }
    }

    /// The statistics of each value, those of graphs of one group together, in the order of the program: which graph
    /// the first sample happens to reach makes no difference.
    pub fn statistics(&self, partitions: &[Partition]) -> StatisticsTable {
        let order = |of: &&OfGraph| partitions.iter().position(|partition| partition.name == of.graph);
        let mut sorted: Vec<&OfGraph> = self.0.iter().collect();
        sorted.sort_by_key(|of| order(of).unwrap_or(usize::MAX));
        let mut table = StatisticsTable::default();
        for OfGraph { group, values, .. } in sorted {
            for (name, range) in values {
                range.statistics().into_iter().for_each(|statistics| table.add(group, name, statistics));
            }
        }
        table
    }
}
