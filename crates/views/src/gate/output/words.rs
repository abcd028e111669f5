//! Checks, causes and the judgement in words that the forms have in common.

use std::collections::BTreeMap;

use crate::gate::{Cause, Check, Judgement, Outcome, Rule, plain};

/// Checks that a summary names at most, of each outcome; JSON, JUnit and SARIF have all.
pub(crate) const MOST_SHOWN: usize = 10;

/// The checks of an outcome.
pub(crate) fn of(judgement: &Judgement, outcome: Outcome) -> impl Iterator<Item = &Check> {
    judgement.checks.iter().filter(move |check| check.outcome == outcome)
}

/// How many there are of what.
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The judgement in a line.
pub(crate) fn verdict(judgement: &Judgement) -> String {
    let (failed, causes) = (judgement.count(Outcome::Failed), judgement.causes.len());
    let failed_word = if causes < failed { format!("failed, of {}", count(causes, "cause")) } else { "failed".into() };
    let numbers = [
        (failed, failed_word.as_str()),
        (judgement.count(Outcome::Unjudged), "not judged"),
        (judgement.count(Outcome::Warning), "with a warning"),
        (judgement.count(Outcome::Excepted), "accepted by exceptions"),
        (judgement.count(Outcome::Skipped), "without figures"),
        (judgement.count(Outcome::Passed), "passed"),
    ];
    let parts: Vec<String> =
        numbers.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    format!("{}: {}", count(judgement.checks.len(), "check"), parts.join(", "))
}

/// The message of a check with the exception that was made for it.
pub(crate) fn message(check: &Check) -> String {
    said(check, &check.message)
}

fn said(check: &Check, message: &str) -> String {
    let exception = check.exception.as_ref().map_or(String::new(), |exception| format!(" [exception {exception}]"));
    plain(&format!("{message}{exception}"))
}

/// The message of a cause, with its place.
pub(crate) fn cause_message(judgement: &Judgement, cause: &Cause) -> String {
    let said = said(&judgement.checks[cause.check], &cause.message);
    format!("{}: {said}", plain(&cause.place.to_string()))
}

/// The title of what failed: where only exceptions are over, nothing got worse.
pub(crate) fn worse_title(judgement: &Judgement) -> &'static str {
    let mut causes = judgement.causes.iter();
    if causes.all(|cause| judgement.checks[cause.check].rule == Rule::Exception) {
        "exceptions are over"
    } else {
        "worse"
    }
}

/// How many checks follow from a cause, and what they are of; `None` if nothing does.
pub fn follow(judgement: &Judgement, cause: &Cause) -> Option<String> {
    let number = cause.follows.len();
    if number == 0 {
        return None;
    }
    let mut kinds: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for &at in &cause.follows {
        let kind = match judgement.checks[at].rule {
            Rule::LayerFloor | Rule::LayerDrop => (0, "layers"),
            Rule::SqnrFloor | Rule::SqnrDrop | Rule::RmsError | Rule::OutputWorst => (1, "outputs"),
            Rule::Goal | Rule::GoalLoosened => (2, "goals"),
            Rule::ChainSqnr | Rule::ChainTokens => (2, "whole sequences"),
            Rule::Accuracy | Rule::Perplexity => (3, "evaluations"),
            Rule::Top5 | Rule::SameClass | Rule::SetSqnr | Rule::WorstSample => (3, "evaluations"),
            Rule::ActivationsMoved | Rule::ConstantsMoved => (4, "encodings"),
            Rule::BinarySize | Rule::BufferSize | Rule::DeviceSize => (5, "sizes"),
            _ => (6, "others"),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let verb = if number == 1 { "follows" } else { "follow" };
    let may = if cause.kind.is_certain() { verb.to_string() } else { "may follow".to_string() };
    let kinds: Vec<String> = kinds.into_iter().map(|((_, kind), number)| format!("{number} of {kind}")).collect();
    Some(format!("{number} more {may} from it ({})", kinds.join(", ")))
}

/// Of each check that follows from another: the cause, by position.
pub(crate) fn causes_of(judgement: &Judgement) -> BTreeMap<usize, &Cause> {
    judgement.causes.iter().flat_map(|cause| cause.follows.iter().map(move |&at| (at, cause))).collect()
}
