//! Markdown (GitHub's and GitLab's) for the summary of a job.

use super::exceptions;
use super::statement::Statement;
use super::words::{cause_message, follow, message, of, verdict, worse_title};
use crate::gate::{Check, GateVerdict, Outcome, plain};

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
        GateVerdict::Passed => "✅ Quantization gate: passed",
        GateVerdict::Regression => "❌ Quantization gate: regression",
        GateVerdict::Unjudged => "⚠️ Quantization gate: could not be judged",
    };
    let mut text = format!("## {title}\n\n{}\n\n{}.\n", cell(&statement.subject()), verdict(judgement));
    if !judgement.causes.is_empty() {
        let title = if worse_title(judgement) == "worse" { "Worse" } else { "Exceptions are over" };
        text.push_str(&format!("\n### {title}\n"));
        // The rows are shared out: a cause has its own, what follows takes what is left.
        let mut rows = MOST_ROWS;
        for (index, cause) in judgement.causes.iter().enumerate() {
            if rows == 0 {
                text.push_str(&format!("\n{} more are left out here.\n", judgement.causes.len() - index));
                break;
            }
            rows -= 1;
            let id = judgement.checks[cause.check].rule.id();
            text.push_str(&format!("\n- **{}** ({id})\n", cell(&cause_message(judgement, cause))));
            if let Some(follow) = follow(judgement, cause) {
                let shown = rows.min(cause.follows.len());
                rows -= shown;
                let checks: Vec<&Check> = cause.follows[..shown].iter().map(|&at| &judgement.checks[at]).collect();
                text.push_str(&format!("\n<details><summary>{follow}</summary>\n\n"));
                table(&mut text, &checks);
                left_out(&mut text, cause.follows.len() - shown);
                text.push_str("\n</details>\n");
            }
        }
        of(judgement, Outcome::Failed).for_each(|check| details(&mut text, check));
    }
    for (outcome, title) in [
        (Outcome::Unjudged, "Not judged"),
        (Outcome::Warning, "Warnings"),
        (Outcome::Excepted, "Accepted by exceptions"),
    ] {
        let checks: Vec<&Check> = of(judgement, outcome).collect();
        if checks.is_empty() {
            continue;
        }
        text.push_str(&format!("\n### {title}\n\n"));
        table(&mut text, &checks[..checks.len().min(MOST_ROWS)]);
        left_out(&mut text, checks.len().saturating_sub(MOST_ROWS));
        checks.iter().for_each(|check| details(&mut text, check));
    }
    if !judgement.exceptions.is_empty() {
        text.push_str("\n### Exceptions\n\n");
        exceptions::lines(judgement).for_each(|line| text.push_str(&format!("- {}\n", cell(&line))));
        if let Some(day) = statement.given_day() {
            text.push_str(&format!("\nExceptions are {}.\n", cell(&day)));
        }
    }
    text
}

fn table(text: &mut String, checks: &[&Check]) {
    text.push_str("| where | check | what |\n|---|---|---|\n");
    for check in checks {
        let place = cell(&check.place.to_string());
        text.push_str(&format!("| {place} | {} | {} |\n", check.rule.id(), cell(&message(check))));
    }
}

fn left_out(text: &mut String, number: usize) {
    if number > 0 {
        text.push_str(&format!("\n{number} more are left out here.\n"));
    }
}

/// What there is beside a check.
fn details(text: &mut String, check: &Check) {
    let (rule, number) = (check.rule.id(), check.details.len());
    if number == 0 {
        return;
    }
    let place = cell(&check.place.partition);
    text.push_str(&format!("\n<details><summary>{place} {rule}: {number} tensors</summary>\n\n"));
    check.details.iter().take(MOST_DETAILS).for_each(|line| text.push_str(&format!("- {}\n", cell(line))));
    if number > MOST_DETAILS {
        text.push_str(&format!("- and {} more\n", number - MOST_DETAILS));
    }
    text.push_str("\n</details>\n");
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
