//! How calibration went: when ranges settled, and so how many samples would have been enough.

use super::subject::Subject;
use super::table::{Cell, Table};

/// A set of samples was large enough where almost all ranges settled in this share of its runs, in percent; what still
/// moves in the last fifth may move behind it.
const ENOUGH: u64 = 80;

/// A line per group: runs that it saw, after how many of them as many of its ranges were as they are, and whether they
/// were enough.
pub fn settled(subject: &Subject) -> Table {
    let titles =
        ["component", "ranges", "runs", "half settled after", "95 %", "99 %", "all", "last to settle", "runs needed"];
    let mut table = Table::new(&titles);
    for group in subject.statistics.groups() {
        let mut seen: Vec<(u64, &str)> =
            subject.statistics.iter(group).filter(|(_, s)| s.runs > 0).map(|(name, s)| (s.settled, name)).collect();
        seen.sort_unstable();
        let Some(&(all, last)) = seen.last() else { continue };
        let runs = subject.statistics.iter(group).map(|(_, s)| s.runs).max().unwrap_or(0);
        let settled = |share: usize| seen[(seen.len() * share).div_ceil(100) - 1].0;
        let after = |share: usize| Cell::Number(settled(share).to_string());
        let enough = match settled(99) {
            most if 100 * most <= ENOUGH * runs => format!("the first {most} of {runs}"),
            most => format!("more than {runs}: ranges still moved in run {most}"),
        };
        let mut row = vec![Cell::Text(group.name().into()), Cell::Number(seen.len().to_string())];
        row.extend([Cell::Number(runs.to_string()), after(50), after(95), after(99)]);
        row.extend([Cell::Number(all.to_string()), Cell::Text(last.to_string()), Cell::Text(enough)]);
        table.row(row);
    }
    table
}
