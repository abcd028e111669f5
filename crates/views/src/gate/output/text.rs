//! The summary for people.

use super::exceptions;
use super::statement::Statement;
use super::words::{MOST_SHOWN, cause_message, follow, message, of, verdict, worse_title};
use crate::gate::{Cause, Check, GateVerdict, Judgement, Outcome, Rule, plain};

/// Checks that are named under what they follow from.
const MOST_FOLLOWING: usize = 3;

/// What got worse, where, and since which baseline.
pub fn text(statement: &Statement) -> String {
    let judgement = match statement.result {
        Ok(judgement) => judgement,
        Err(why) => return format!("gate: could not be judged: {}\n", plain(why)),
    };
    let word = match judgement.verdict {
        GateVerdict::Passed => "passed",
        GateVerdict::Regression => "regression",
        GateVerdict::Unjudged => "could not be judged",
    };
    let mut text = format!("gate: {word}: {}\n{}\n", statement.subject(), verdict(judgement));
    if !judgement.causes.is_empty() {
        text.push_str(&format!("\n{}:\n", worse_title(judgement)));
        let most = if statement.all { usize::MAX } else { MOST_SHOWN };
        judgement.causes.iter().take(most).for_each(|found| cause(&mut text, statement, judgement, found));
        left_out(&mut text, "  ", judgement.causes.len().saturating_sub(most));
    }
    for (outcome, title) in [(Outcome::Unjudged, "not judged"), (Outcome::Warning, "warnings")] {
        let checks: Vec<&Check> = of(judgement, outcome).collect();
        if checks.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{title}:\n"));
        let most = if statement.all { usize::MAX } else { MOST_SHOWN };
        checks.iter().take(most).for_each(|check| text.push_str(&format!("  {}\n", line(check))));
        left_out(&mut text, "  ", checks.len().saturating_sub(most));
    }
    if !judgement.exceptions.is_empty() {
        let day = statement.given_day().map_or(String::new(), |day| format!(", {day}"));
        text.push_str(&format!("\nexceptions{day}:\n"));
        for exception in exceptions::lines(judgement) {
            text.push_str(&format!("  {exception}\n"));
        }
        let accepted: Vec<&Check> = of(judgement, Outcome::Excepted).collect();
        let most = if statement.all { usize::MAX } else { MOST_SHOWN };
        accepted.iter().take(most).for_each(|check| text.push_str(&format!("    accepted: {}\n", line(check))));
        left_out(&mut text, "    ", accepted.len().saturating_sub(most));
    }
    if let Some((first, all)) = exceptions::first_snippet(judgement, statement.today) {
        let more = if all > 1 {
            format!("; it takes {all} such exceptions to pass, --print-exceptions prints them")
        } else {
            String::new()
        };
        text.push_str(&format!(
            "\nto accept it for a limited time, put this into the file for --thresholds{more}:\n\n{first}"
        ));
    }
    text
}

fn cause(text: &mut String, statement: &Statement, judgement: &Judgement, cause: &Cause) {
    let id = judgement.checks[cause.check].rule.id();
    text.push_str(&format!("  {} ({id})\n", cause_message(judgement, cause)));
    let Some(follow) = follow(judgement, cause) else { return };
    text.push_str(&format!("    {follow}:\n"));
    let most = if statement.all { usize::MAX } else { MOST_FOLLOWING };
    let mut following: Vec<&Check> = cause.follows.iter().map(|&at| &judgement.checks[at]).collect();
    // What a product has to do with comes before layers; in each the flow's order stays.
    following.sort_by_key(|check| rank(check.rule));
    following.into_iter().take(most).for_each(|check| text.push_str(&format!("      {}\n", line(check))));
    left_out(text, "      ", cause.follows.len().saturating_sub(most));
}

/// Outputs and goals, what is of whole sequences, layers, the rest.
fn rank(rule: Rule) -> u8 {
    match rule {
        Rule::Goal | Rule::GoalLoosened | Rule::SqnrFloor | Rule::SqnrDrop | Rule::RmsError | Rule::OutputWorst => 0,
        Rule::ChainSqnr | Rule::ChainTokens | Rule::Accuracy | Rule::Perplexity | Rule::Demands => 1,
        Rule::Top5 | Rule::SameClass | Rule::SetSqnr | Rule::WorstSample => 1,
        Rule::LayerFloor | Rule::LayerDrop => 2,
        _ => 3,
    }
}

fn line(check: &Check) -> String {
    format!("{}: {} ({})", plain(&check.place.to_string()), message(check), check.rule.id())
}

fn left_out(text: &mut String, indent: &str, number: usize) {
    if number > 0 {
        text.push_str(&format!("{indent}and {number} more (all with -v or --json)\n"));
    }
}
