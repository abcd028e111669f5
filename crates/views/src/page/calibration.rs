//! How calibration went: whether its samples were enough, and when ranges settled.

use super::subject::Subject;
use super::table::{Cell, Table};

/// A line per group: how much narrower its ranges would be without the run that reaches furthest, and whether that is
/// little enough.
pub(crate) fn coverage(subject: &Subject) -> Table {
    let titles = [
        "component",
        "ranges",
        "runs",
        "half narrower by",
        "95 %",
        "most",
        "that is",
        "allowed",
        "beyond it",
        "samples",
    ];
    let mut table = Table::new(&titles);
    for found in &subject.report.calibration {
        let (most, name) = match &found.widest {
            Some((percent, name)) => (Some(*percent), Cell::Text(name.clone())),
            None => (None, Cell::Nothing),
        };
        table.row(vec![
            Cell::text(&found.group),
            Cell::Number(found.ranges.to_string()),
            Cell::Number(found.runs.to_string()),
            Cell::figure(found.half_percent, 1, " %"),
            Cell::figure(found.most_percent, 1, " %"),
            Cell::figure(most, 1, " %"),
            name,
            Cell::figure(Some(found.allowed_percent), 0, " %"),
            Cell::Number(found.beyond.to_string()),
            Cell::Text(found.words()),
        ]);
    }
    table
}

/// A line per group: runs that it saw, and after how many of them as many of its ranges were as they are.
pub(crate) fn settled(subject: &Subject) -> Table {
    let titles = ["component", "ranges", "runs", "half settled after", "95 %", "99 %", "all", "last to settle"];
    let mut table = Table::new(&titles);
    for group in subject.statistics.groups() {
        let mut seen: Vec<(u64, &str)> =
            subject.statistics.iter(group).filter(|(_, s)| s.runs > 0).map(|(name, s)| (s.settled, name)).collect();
        seen.sort_unstable();
        let Some(&(all, last)) = seen.last() else { continue };
        let runs = subject.statistics.iter(group).map(|(_, s)| s.runs).max().unwrap_or(0);
        let after = |share: usize| Cell::Number(seen[(seen.len() * share).div_ceil(100) - 1].0.to_string());
        let mut row = vec![Cell::Text(group.name().into()), Cell::Number(seen.len().to_string())];
        row.extend([Cell::Number(runs.to_string()), after(50), after(95), after(99)]);
        row.extend([Cell::Number(all.to_string()), Cell::Text(last.to_string())]);
        table.row(row);
    }
    table
}
