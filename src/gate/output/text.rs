//! The summary for people.

use super::{MOST_SHOWN, Statement, message, of, verdict};
use crate::gate::{Check, Outcome, Verdict, plain};

/// What got worse, where, and since which baseline.
pub fn text(statement: &Statement) -> String {
    let judgement = match statement.result {
        Ok(judgement) => judgement,
        Err(why) => return format!("gate: could not be judged: {}\n", plain(why)),
    };
    let word = match judgement.verdict {
        Verdict::Passed => "passed",
        Verdict::Regression => "regression",
        Verdict::Unjudged => "could not be judged",
    };
    let mut text = format!("gate: {word}: {}\n{}\n", statement.subject(), verdict(judgement));
    for (outcome, title) in
        [(Outcome::Failed, "worse"), (Outcome::Unjudged, "not judged"), (Outcome::Warning, "warnings")]
    {
        let checks: Vec<&Check> = of(judgement, outcome).collect();
        if checks.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{title}:\n"));
        for check in checks.iter().take(MOST_SHOWN) {
            let place = plain(&check.place.to_string());
            text.push_str(&format!("  {place}: {} ({})\n", message(check), check.rule.id()));
        }
        if checks.len() > MOST_SHOWN {
            text.push_str(&format!("  and {} more (all with --json)\n", checks.len() - MOST_SHOWN));
        }
    }
    text
}
