//! Forms of a judgement: for people, and for the systems that show the results of CI. Text of other people's files is
//! escaped as each form wants it.

mod github;
mod junit;
mod located;
mod markdown;
mod sarif;
mod text;

pub use github::github;
pub use junit::junit;
pub use located::Located;
pub use markdown::{cell, markdown};
pub use sarif::sarif;
pub use text::text;

use super::{Baseline, Check, Judgement, Outcome};

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
}

impl Statement<'_> {
    /// Line of what was checked in the baseline's file.
    fn line(&self, check: &Check) -> usize {
        let Check { rule, place, .. } = check;
        let keys = match place.partition.as_str() {
            "" => vec![rule.section(), &place.name],
            partition => vec!["partitions", partition, rule.section(), &place.name],
        };
        self.baseline.map_or(1, |baseline| baseline.line(&keys))
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
    let numbers = [
        (judgement.count(Outcome::Failed), "failed"),
        (judgement.count(Outcome::Unjudged), "not judged"),
        (judgement.count(Outcome::Warning), "with a warning"),
        (judgement.count(Outcome::Skipped), "without figures"),
        (judgement.count(Outcome::Passed), "passed"),
    ];
    let parts: Vec<String> =
        numbers.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    format!("{}: {}", count(judgement.checks.len(), "check"), parts.join(", "))
}

/// The message of a check with the exception that was made for it.
fn message(check: &Check) -> String {
    let exception = check.exception.as_ref().map_or(String::new(), |reason| format!(" [exception: {reason}]"));
    super::plain(&format!("{}{exception}", check.message))
}
