//! Everything that is looked at.

use super::facts::Facts;
use super::judge::Judge;
use super::{changes, figures, goals};
use autoneural_app::report::Report;

/// Makes all checks.
pub fn look(judge: &mut Judge, baseline: &Facts, now: &Facts, report: &Report) {
    figures::check(judge, baseline, now, report);
    goals::check(judge, baseline, now);
    changes::check(judge, baseline, now);
}
