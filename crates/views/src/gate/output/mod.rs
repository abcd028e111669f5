//! Forms of a judgement: for people, and for the systems that show the results of CI. Text of other people's files is
//! escaped as each form wants it.

mod checks;
mod exceptions;
mod github;
mod junit;
mod located;
mod markdown;
mod sarif;
mod text;
mod update;

pub use checks::{list_json, list_text};
pub use exceptions::{lines as exception_lines, snippets};
pub use github::github;
pub use junit::junit;
pub use located::Located;
pub use markdown::{cell, markdown};
pub use sarif::sarif;
pub use text::text;
pub use update::{Written, update};

use std::collections::BTreeMap;

use super::{Baseline, Cause, Check, Date, Judgement, Location, Outcome, Rule};

/// Checks that a summary names at most, of each outcome; JSON, JUnit and SARIF have all.
const MOST_SHOWN: usize = 10;

/// What is told.
pub struct Statement<'a> {
    /// The bundle, as it was named.
    pub bundle: String,
    /// The baseline's file, as it was named.
    pub file: String,
    /// Where it is in its repository.
    pub located: Located,
    /// The baseline; none where it cannot be read.
    pub baseline: Option<&'a Baseline>,
    /// The judgement, or in one line why there is none.
    pub result: Result<&'a Judgement, &'a str>,
    /// The day of the judgement.
    pub today: Date,
    /// Whether the day was given by `SOURCE_DATE_EPOCH`, and is not the clock's.
    pub is_day_given: bool,
    /// Whether a summary for people leaves nothing out.
    pub all: bool,
}

impl Statement<'_> {
    /// Line of what was checked in the baseline's file.
    fn line(&self, rule: Rule, place: &Location) -> usize {
        let of_output = format!("{}/{}", place.partition, place.name);
        let keys = match place.partition.as_str() {
            partition if rule == Rule::GoalLoosened && !partition.is_empty() => vec!["goals", &of_output],
            "" => vec![rule.stated().section, &place.name],
            partition => vec!["partitions", partition, rule.stated().section, &place.name],
        };
        self.baseline.map_or(1, |baseline| baseline.line(&keys))
    }

    /// The day that exceptions are judged for, where it is not the clock's.
    fn given_day(&self) -> Option<String> {
        self.is_day_given.then(|| format!("judged for {}, from SOURCE_DATE_EPOCH", self.today))
    }

    /// What was judged, against what.
    fn subject(&self) -> String {
        let digest = self.baseline.map_or(String::new(), |baseline| format!(" (sha256 {})", baseline.digest));
        let of = self.baseline.map_or(String::new(), |baseline| {
            format!(" ({} for {}, recipe {})", baseline.facts.model, baseline.facts.target, baseline.facts.recipe)
        });
        super::plain(&format!("{}{of} against {}{digest}", self.bundle, self.file))
    }
}

/// The checks of an outcome.
fn of(judgement: &Judgement, outcome: Outcome) -> impl Iterator<Item = &Check> {
    judgement.checks.iter().filter(move |check| check.outcome == outcome)
}

/// How many there are of what.
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The judgement in a line.
fn verdict(judgement: &Judgement) -> String {
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
fn message(check: &Check) -> String {
    said(check, &check.message)
}

fn said(check: &Check, message: &str) -> String {
    let exception = check.exception.as_ref().map_or(String::new(), |exception| format!(" [exception {exception}]"));
    super::plain(&format!("{message}{exception}"))
}

/// The message of a cause, with its place.
fn cause_message(judgement: &Judgement, cause: &Cause) -> String {
    let said = said(&judgement.checks[cause.check], &cause.message);
    format!("{}: {said}", super::plain(&cause.place.to_string()))
}

/// The title of what failed: where only exceptions are over, nothing got worse.
fn worse_title(judgement: &Judgement) -> &'static str {
    let mut causes = judgement.causes.iter();
    if causes.all(|cause| judgement.checks[cause.check].rule == Rule::Exception) {
        "exceptions are over"
    } else {
        "worse"
    }
}

/// How many checks follow from a cause, and what they are of; none where nothing does.
pub fn follow(judgement: &Judgement, cause: &Cause) -> Option<String> {
    let number = cause.follows.len();
    if number == 0 {
        return None;
    }
    let mut kinds: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for &at in &cause.follows {
        let kind = match judgement.checks[at].rule {
            Rule::LayerFloor | Rule::LayerDrop => (0, "layers"),
            Rule::SqnrFloor | Rule::SqnrDrop | Rule::RmsError => (1, "outputs"),
            Rule::Goal | Rule::GoalLoosened => (2, "goals"),
            Rule::ChainSqnr | Rule::ChainTokens => (2, "whole sequences"),
            Rule::Accuracy | Rule::Perplexity => (3, "evaluations"),
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
fn causes_of(judgement: &Judgement) -> BTreeMap<usize, &Cause> {
    judgement.causes.iter().flat_map(|cause| cause.follows.iter().map(move |&at| (at, cause))).collect()
}
