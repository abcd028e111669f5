//! Ranges of every graph by itself, as one run or one shard of the samples saw them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Coverage, CoverageTable, MinMax, Statistics, StatisticsTable};
use crate::partition::Partition;
use crate::program::Group;

/// The ranges of a graph's values, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OfGraph {
    group: Group,
    graph: String,
    values: BTreeMap<String, OfValue>,
}

/// What is known of a value's range.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct OfValue {
    range: MinMax,
    /// `None` while no number was finite.
    coverage: Option<Coverage>,
    /// The moving average of the ends of the runs in order; `None` while no number was finite, and where runs that were
    /// put together before came behind others.
    average: Option<[f32; 2]>,
}

/// How far a run moves an average towards its own ends. After R. Krishnamoorthi, "Quantizing deep convolutional networks
/// for efficient inference: A whitepaper", 2018 (arXiv:1806.08342), section 3.1.1, which averages over batches; with
/// calibration sets of tens of samples a tenth lets the last ten or so count.
const MOVES: f32 = 0.1;

impl OfValue {
    fn merge(&mut self, later: &OfValue) {
        self.average = match (self.average, later.average, later.coverage) {
            (Some(own), Some(next), Some(Coverage { runs: 1, .. })) => {
                Some([0, 1].map(|end| own[end] + MOVES * (next[end] - own[end])))
            }
            (None, next, _) if self.coverage.is_none() => next,
            (own, None, None) => own,
            _ => None,
        };
        self.range.merge(&later.range);
        self.coverage = match (self.coverage, later.coverage) {
            (Some(own), Some(later)) => Some(own.merged(later)),
            (own, later) => own.or(later),
        };
    }
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

    /// Adds numbers of a value in one run of the graph at a place. Returns whether all are finite.
    pub(super) fn observe(&mut self, place: usize, name: &str, values: &[f32]) -> bool {
        let mut range = MinMax::default();
        range.observe(values);
        let is_finite = |seen: &Statistics| seen.count > 0;
        let coverage = range.statistics().filter(is_finite).map(|seen| Coverage::of_run([seen.min, seen.max]));
        let average = coverage.map(|coverage| coverage.ends);
        let are_finite = range.statistics().is_none_or(|seen| seen.non_finite == 0);
        let (run, values) = (OfValue { range, coverage, average }, &mut self.0[place].values);
        match values.get_mut(name) {
            Some(known) => known.merge(&run),
            None => drop(values.insert(name.to_string(), run)),
        }
        are_finite
    }

    /// Adds what later samples saw.
    pub fn merge(&mut self, later: &Ranges) {
        for OfGraph { group, graph, values } in &later.0 {
            let place = self.place(group, graph);
            let own = &mut self.0[place].values;
            values.iter().for_each(|(name, value)| own.entry(name.clone()).or_default().merge(value));
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
            for (name, value) in values {
                value.range.statistics().into_iter().for_each(|statistics| table.add(group, name, statistics));
            }
        }
        table
    }

    /// The coverage of each value, of graphs of one group together.
    pub fn coverage(&self) -> CoverageTable {
        let mut table = CoverageTable::default();
        for OfGraph { group, values, .. } in &self.0 {
            for (name, value) in values {
                value.coverage.into_iter().for_each(|coverage| table.add(group, name, coverage));
            }
        }
        table
    }

    /// The moving averages of a group's values: of one that several of its graphs have, what covers those of all.
    /// `None` for a value stands where there is no order of the runs.
    pub fn averages(&self, group: &Group) -> BTreeMap<String, Option<[f32; 2]>> {
        let mut made: BTreeMap<String, Option<[f32; 2]>> = BTreeMap::new();
        for (name, value) in self.0.iter().filter(|of| of.group == *group).flat_map(|of| &of.values) {
            let joined = made.get(name).map_or(value.average, |known| {
                let ([low, high], [l, h]) = (*known).zip(value.average)?;
                Some([low.min(l), high.max(h)])
            });
            made.insert(name.clone(), joined);
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moving_average_follows_the_runs_in_their_order() {
        let group = Group::fixed("some");
        let seen = |runs: &[[f32; 2]]| {
            let mut made = Ranges::default();
            let place = made.place(&group, "some");
            runs.iter().for_each(|run| assert!(made.observe(place, "x", run)));
            made
        };
        let of = |ranges: &Ranges| ranges.averages(&group)["x"];
        let [low, high] = of(&seen(&[[-1.0, 2.0], [-2.0, 12.0], [-1.0, 2.0]])).unwrap();
        // 2 + 0.1 x 10 = 3, and a tenth of the way back.
        assert!((low + 1.09).abs() < 1e-6 && (high - 2.9).abs() < 1e-6, "{low} {high}");
        assert_ne!(of(&seen(&[[-1.0, 2.0], [-2.0, 12.0]])), of(&seen(&[[-2.0, 12.0], [-1.0, 2.0]])));
        // Of runs that were put together elsewhere nobody knows which was the first.
        let mut joined = seen(&[[-1.0, 2.0]]);
        joined.merge(&seen(&[[-2.0, 12.0], [-1.0, 2.0]]));
        assert_eq!(of(&joined), None);
    }
}
