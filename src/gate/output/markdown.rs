//! Markdown (GitHub's and GitLab's) for the summary of a job.

use super::{Statement, message, of, verdict};
use crate::gate::{Check, Outcome, Verdict, plain};

/// Rows that a table has at most; a summary of GitHub holds 1 MiB.
const MOST_ROWS: usize = 200;
/// Lines beside a check that are shown.
const MOST_DETAILS: usize = 20;

/// The whole file.
pub fn markdown(statement: &Statement) -> String {
    let judgement = match statement.result {
        Ok(judgement) => judgement,
        Err(why) => return format!("## ⚠️ Quantization gate: could not be judged\n\n{}\n", cell(why)),
    };
    let title = match judgement.verdict {
        Verdict::Passed => "✅ Quantization gate: passed",
        Verdict::Regression => "❌ Quantization gate: regression",
        Verdict::Unjudged => "⚠️ Quantization gate: could not be judged",
    };
    let mut text = format!("## {title}\n\n{}\n\n{}.\n", cell(&statement.subject()), verdict(judgement));
    for (outcome, title) in
        [(Outcome::Failed, "Worse"), (Outcome::Unjudged, "Not judged"), (Outcome::Warning, "Warnings")]
    {
        let checks: Vec<&Check> = of(judgement, outcome).collect();
        if checks.is_empty() {
            continue;
        }
        text.push_str(&format!("\n### {title}\n\n| where | check | what |\n|---|---|---|\n"));
        for check in checks.iter().take(MOST_ROWS) {
            let place = cell(&check.place.to_string());
            text.push_str(&format!("| {place} | {} | {} |\n", check.rule.id(), cell(&message(check))));
        }
        if checks.len() > MOST_ROWS {
            text.push_str(&format!("\n{} more are left out here.\n", checks.len() - MOST_ROWS));
        }
        for check in checks.iter().filter(|check| !check.details.is_empty()) {
            let (rule, number) = (check.rule.id(), check.details.len());
            let place = cell(&check.place.partition);
            text.push_str(&format!("\n<details><summary>{place} {rule}: {number} tensors</summary>\n\n"));
            check.details.iter().take(MOST_DETAILS).for_each(|line| text.push_str(&format!("- {}\n", cell(line))));
            if number > MOST_DETAILS {
                text.push_str(&format!("- and {} more\n", number - MOST_DETAILS));
            }
            text.push_str("\n</details>\n");
        }
    }
    text
}

/// Text of somebody else in Markdown: every mark of it stands for itself.
pub fn cell(text: &str) -> String {
    let mut made = String::new();
    for character in plain(text).chars() {
        match character {
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '&' => made.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '@' => {
                made.push('\\');
                made.push(character);
            }
            character => made.push(character),
        }
    }
    made
}
