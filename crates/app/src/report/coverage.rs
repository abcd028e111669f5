//! Whether the samples that calibrated were enough: how much of each range is owed to a single run.

use serde::{Deserialize, Serialize};

use autoneural_base::error::Result;
use autoneural_bundle::round;
use autoneural_core::evidence::CoverageTable;
use autoneural_core::program::{Group, groups};
use autoneural_core::quantize::{RangeSource, Sources};
use autoneural_core::recipe::Recipe;
use autoneural_core::{encoding::IntegerType, partition::Partition};

/// How much narrower a range may be without the run that reaches furthest, as a share of it, where the recipe gives it
/// no more room. What lies beyond is cut off, and a tenth of the range is little of it.
const LITTLE: f32 = 0.1;
/// Share of the ranges of which that must hold, in percent.
const MOST: usize = 95;

/// Of the ranges of a group that were seen in calibration and are used. Each is held against what is left of it without
/// the one run that reaches furthest, at either end: a run like this is as likely to come after calibration as in it.
/// The order of the runs makes no difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoverageReport {
    /// The group.
    pub group: String,
    /// Number of ranges.
    pub ranges: usize,
    /// Runs of calibration that the value saw which saw most.
    pub runs: u64,
    /// How much narrower half of the ranges are at most, in percent of the range; `None` after one run.
    pub half_percent: Option<f64>,
    /// How much narrower 95 % of them are at most.
    pub most_percent: Option<f64>,
    /// How much narrower the one is that loses most, and its name.
    pub widest: Option<(f64, String)>,
    /// How much narrower a range may be: the room that the recipe gives, but at least a tenth.
    pub allowed_percent: f64,
    /// Ranges that are narrower by more.
    pub beyond: usize,
    /// Whether at most 5 % of them are; `None` after one run, from which nothing can be told.
    pub is_enough: Option<bool>,
}

/// The report of each group that has such ranges; empty where a version before calibrated.
///
/// # Errors
/// The recipe says nothing of a group.
pub fn coverage_of(
    partitions: &[Partition],
    coverage: &CoverageTable,
    (sources, recipe): (&Sources, &Recipe),
) -> Result<Vec<CoverageReport>> {
    let mut made = Vec::new();
    for group in groups(partitions) {
        let part = recipe.part(&group)?;
        let has_room = part.activations == IntegerType::Uint16;
        let allowed = if has_room { part.headroom.max(LITTLE) } else { LITTLE };
        let is_used = |name: &str| sources.activation(&group, name) == Some(&RangeSource::Seen);
        let used: Vec<_> = coverage.iter(&group).filter(|(name, _)| is_used(name)).collect();
        if used.is_empty() {
            continue;
        }
        let runs = used.iter().map(|(_, coverage)| coverage.runs).max().unwrap_or(0);
        let alone = used.iter().filter_map(|(name, coverage)| Some((coverage.alone()?, *name)));
        made.push(report(&group, (used.len(), runs), alone.collect(), allowed));
    }
    Ok(made)
}

fn report(group: &Group, (ranges, runs): (usize, u64), mut alone: Vec<(f32, &str)>, allowed: f32) -> CoverageReport {
    alone.sort_by(|a, b| a.0.total_cmp(&b.0));
    let percent = |share: f32| round(100.0 * f64::from(share));
    let at = |share: usize| alone.get((alone.len() * share).div_ceil(100).saturating_sub(1)).map(|one| percent(one.0));
    let beyond = alone.iter().filter(|(share, _)| *share > allowed).count();
    CoverageReport {
        group: group.name().to_string(),
        ranges,
        runs,
        half_percent: at(50),
        most_percent: at(MOST),
        widest: alone.last().map(|(share, name)| (percent(*share), name.to_string())),
        allowed_percent: percent(allowed),
        beyond,
        is_enough: (!alone.is_empty()).then_some(100 * beyond <= (100 - MOST) * alone.len()),
    }
}

impl CoverageReport {
    /// Whether the samples were enough, in words.
    pub fn words(&self) -> String {
        match self.is_enough {
            Some(true) => "enough".to_string(),
            Some(false) => "too few: add samples".to_string(),
            None => "one run tells nothing: add samples".to_string(),
        }
    }

    /// A line for a terminal, if samples should be added.
    pub(crate) fn line(&self) -> Option<String> {
        let (percent, name) = self.widest.as_ref().filter(|_| self.is_enough == Some(false))?;
        Some(format!(
            "too few samples calibrate {}: without the one run that reaches furthest {} of {} ranges would be more than \
             {:.0} % narrower, `{name}` {percent:.0} %; add samples like it, or leave it out if it shows nothing real",
            self.group, self.beyond, self.ranges, self.allowed_percent
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_enough_where_few_ranges_are_owed_to_one_of_them() {
        let group = Group::new("some").unwrap();
        let names: Vec<String> = (0..40).map(|at| format!("v{at}")).collect();
        let of = |wide: usize| {
            let share = |at: usize| if at < wide { 0.4 } else { 0.01 };
            report(&group, (40, 8), names.iter().enumerate().map(|(at, n)| (share(at), n.as_str())).collect(), 0.1)
        };
        let (two, three) = (of(2), of(3));
        assert_eq!((two.is_enough, two.most_percent, two.beyond), (Some(true), Some(1.0), 2));
        assert_eq!((three.is_enough, three.most_percent, three.line().is_some()), (Some(false), Some(40.0), true));
        assert!(two.line().is_none() && three.line().unwrap().contains("3 of 40 ranges would be more than 10 %"));
        let one = report(&group, (40, 1), vec![], 0.25);
        assert_eq!((one.is_enough, one.half_percent, one.widest.clone()), (None, None, None));
        assert!(one.words().contains("tells nothing"));
    }
}
