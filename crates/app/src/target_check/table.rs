//! The findings as a table for a terminal.

use super::report::{Report, Status};

/// Most characters of a note; the engine's own words are long, and whole with --json.
const LONGEST_NOTE: usize = 100;

/// One line per statement, and the sums at the end.
pub fn table(report: &Report) -> String {
    let mut rows = vec![["operator", "statement", "status", "SQNR", ""].map(String::from)];
    // Columns but the first are right-aligned; a statement reads better from the left.
    let width = report.findings.iter().map(|finding| finding.statement.chars().count()).max().unwrap_or(0);
    rows[0][1] = format!("{:<width$}", rows[0][1]);
    for finding in &report.findings {
        rows.push([
            finding.operator.clone(),
            format!("{:<width$}", finding.statement),
            finding.status.name().to_string(),
            finding.sqnr_db.map_or("-".into(), |figure| format!("{figure:.1} dB")),
            String::new(),
        ]);
    }
    let mut text = String::new();
    for (line, note) in autoneural_base::text::columns(&rows).lines().zip(std::iter::once(None).chain(notes(report))) {
        text.push_str(line);
        if let Some(note) = note {
            let note = autoneural_base::shown::in_line(note);
            let short: String = note.chars().take(LONGEST_NOTE).collect();
            let more = if short.len() < note.len() { "…" } else { "" };
            text.push_str(&format!("  {short}{more}"));
        }
        text.push('\n');
    }
    let count = |status| report.count(status);
    text.push_str(&format!(
        "\n{}: {} confirmed, {} wrong, {} untested; SQNR is that of the NPU against the CPU, at least {} dB is wanted\n",
        autoneural_base::shown::in_line(&report.target),
        count(Status::Confirmed),
        count(Status::Wrong),
        count(Status::Untested),
        report.floor_db,
    ));
    text
}

fn notes(report: &Report) -> impl Iterator<Item = Option<&str>> {
    report.findings.iter().map(|finding| finding.note.as_deref())
}
