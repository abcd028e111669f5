//! How far the runs of calibration agree about a range: what every run reached, and what is left of the range without
//! the run that reaches furthest. Neither depends on the order of the runs, nor on how they are shared among shards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::program::Group;

/// What the runs say of a range beyond its ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Runs in which a finite number was seen.
    pub runs: u64,
    /// The smallest and the largest number of all runs.
    pub ends: [f32; 2],
    /// What every run reached: the largest of their smallest numbers, and the smallest of their largest ones. The first
    /// is above the second where runs have nothing in common.
    pub every: [f32; 2],
    /// The second smallest of the runs' smallest numbers, and the second largest of their largest ones: the range
    /// without the run that reaches furthest, at each end by itself. `None` after one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<[f32; 2]>,
}

impl Coverage {
    /// Of one run with these ends.
    pub fn of_run(ends: [f32; 2]) -> Self {
        Coverage { runs: 1, ends, every: ends, without: None }
    }

    /// Of the runs of both.
    pub fn merged(self, other: Coverage) -> Coverage {
        let ([low, high], [l, h]) = (self.ends, other.ends);
        let [mut second_low, mut second_high] = [low.max(l), high.min(h)];
        for [low, high] in [self.without, other.without].into_iter().flatten() {
            (second_low, second_high) = (second_low.min(low), second_high.max(high));
        }
        Coverage {
            runs: self.runs.saturating_add(other.runs),
            ends: [low.min(l), high.max(h)],
            every: [self.every[0].max(other.every[0]), self.every[1].min(other.every[1])],
            without: Some([second_low, second_high]),
        }
    }

    /// Whether every run reached exactly the same ends.
    pub fn is_the_same_in_all_runs(&self) -> bool {
        self.runs > 1 && self.every == self.ends
    }

    /// How much further one run reaches than all others, as a share of the range, which has 0 in it: the larger one of
    /// both ends. `None` after one run.
    pub fn alone(&self) -> Option<f32> {
        let without = self.without?;
        let with_zero = |[low, high]: [f32; 2]| [low.min(0.0), high.max(0.0)];
        let ([low, high], [l, h]) = (with_zero(self.ends), with_zero(without));
        let width = high - low;
        Some(if width > 0.0 { ((l - low) / width).max((high - h) / width) } else { 0.0 })
    }
}

/// The coverage of values, by group and name. What the graphs of a group saw of values with the same name is merged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CoverageTable(BTreeMap<Group, BTreeMap<String, Coverage>>);

impl CoverageTable {
    /// Merges the coverage of a value into what the table has.
    pub fn add(&mut self, group: &Group, name: &str, coverage: Coverage) {
        let values = self.0.entry(group.clone()).or_default();
        let merged = values.get(name).map_or(coverage, |known| known.merged(coverage));
        values.insert(name.to_string(), merged);
    }

    /// The coverage of a value; `None` if it was not seen.
    pub fn get(&self, group: &Group, name: &str) -> Option<Coverage> {
        self.0.get(group)?.get(name).copied()
    }

    /// The values of a group, by name.
    pub fn iter(&self, group: &Group) -> impl Iterator<Item = (&str, Coverage)> {
        self.0.get(group).into_iter().flatten().map(|(name, coverage)| (name.as_str(), *coverage))
    }

    /// Takes in the groups of another table.
    pub fn extend(&mut self, other: CoverageTable) {
        self.0.extend(other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(runs: &[[f32; 2]]) -> Coverage {
        runs.iter().map(|ends| Coverage::of_run(*ends)).reduce(Coverage::merged).unwrap()
    }

    #[test]
    fn one_run_that_reaches_further_than_all_others_is_told() {
        let made = of(&[[-1.0, 2.0], [-1.5, 10.0], [-1.0, 2.5]]);
        assert_eq!((made.runs, made.ends, made.every), (3, [-1.5, 10.0], [-1.0, 2.0]));
        assert_eq!(made.without, Some([-1.0, 2.5]));
        assert_eq!(made.alone(), Some(7.5 / 11.5));
        // An end that is not beyond 0 takes no integers.
        assert_eq!(of(&[[1.0, 4.0], [3.0, 4.0]]).alone(), Some(0.0));
        assert_eq!((of(&[[0.0, 1.0]]).alone(), of(&[[0.0, 0.0], [0.0, 0.0]]).alone()), (None, Some(0.0)));
    }

    #[test]
    fn runs_that_show_the_same_are_told() {
        assert!(of(&[[0.5, 2.0], [0.5, 2.0]]).is_the_same_in_all_runs());
        assert!(!of(&[[0.5, 2.0], [0.5, 2.5]]).is_the_same_in_all_runs());
        assert!(!of(&[[0.5, 2.0]]).is_the_same_in_all_runs());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn neither_order_nor_shards_make_a_difference(
            (runs, shuffled) in prop::collection::vec((-4f32..4.0, 0f32..4.0), 2..9)
                .prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
            cut in any::<prop::sample::Index>(),
        ) {
            let ends = |runs: &[(f32, f32)]| runs.iter().map(|(low, width)| [*low, low + width]).collect::<Vec<_>>();
            let (runs, shuffled) = (ends(&runs), ends(&shuffled));
            let (first, second) = shuffled.split_at(cut.index(runs.len() - 1) + 1);
            let made = of(&runs);
            prop_assert_eq!(made, of(first).merged(of(second)));
            // As sorting finds it.
            let mut highs: Vec<f32> = runs.iter().map(|[_, high]| *high).collect();
            highs.sort_by(f32::total_cmp);
            prop_assert_eq!(made.without.unwrap()[1], highs[runs.len() - 2]);
            prop_assert_eq!(made.every[1], highs[0]);
        }
    }
}
