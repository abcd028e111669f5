//! Checks: what is looked at, where, and what came of it.

use std::fmt;

use serde::Serialize;

use super::date::Date;
pub use super::rule::Rule;

/// What is looked at: something of a partition, or of the bundle where there is no partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Name of the partition; empty for the bundle as a whole.
    pub partition: String,
    /// Name of the output, layer or what else; empty for the partition as a whole.
    pub name: String,
}

impl Location {
    /// Something of a partition.
    pub fn of(partition: &str, name: &str) -> Self {
        Location { partition: partition.to_string(), name: name.to_string() }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.partition.as_str(), self.name.as_str()) {
            ("", "") => write!(f, "bundle"),
            ("", name) => write!(f, "{name}"),
            (partition, "") => write!(f, "{partition}"),
            (partition, name) => write!(f, "{partition}: {name}"),
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A regression.
    Failed,
    /// It could not be judged.
    Unjudged,
    /// Worth a look, no regression.
    Warning,
    /// It would have failed, or not be judged, or warn; an exception in force accepts it.
    Excepted,
    /// There is nothing to compare: not measured, or not in the baseline.
    Skipped,
    /// All is well.
    Passed,
}

/// A check with what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What was checked.
    pub rule: Rule,
    /// Where.
    pub place: Location,
    /// What came of it.
    pub outcome: Outcome,
    /// The figure of the baseline.
    pub baseline: Option<f64>,
    /// The figure now.
    pub now: Option<f64>,
    /// The limit: of what `now` may be, or of how far it may be from `baseline`, as the message says.
    pub limit: Option<f64>,
    /// How much worse it is, to sort by.
    #[serde(skip)]
    pub worse: f64,
    /// All of it in one line.
    pub message: String,
    /// What there is beside it, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Tensors or layers of the partition that the details, or the message alone, are about, in the same order.
    #[serde(skip)]
    pub about: Vec<String>,
    /// Limit of an exception with which it would have passed; `None` if no limit helps.
    #[serde(skip)]
    pub needs: Option<f64>,
    /// The exception in force that decides here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<Excepted>,
}

/// What an exception that decides about a check says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excepted {
    /// Why there is one.
    pub reason: String,
    /// The last day on which it holds.
    pub last_day: Date,
    /// How many days are left after today.
    pub days_left: u64,
}

impl fmt::Display for Excepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "until {}, {}: {}", self.last_day, days(self.days_left), self.reason)
    }
}

/// How many days are left, in words.
pub(crate) fn days(left: u64) -> String {
    match left {
        0 => "today is the last day".to_string(),
        1 => "1 day left".to_string(),
        left => format!("{left} days left"),
    }
}

impl Check {
    /// A check without figures.
    pub fn new(rule: Rule, place: Location, outcome: Outcome, message: impl Into<String>) -> Self {
        Check {
            rule,
            place,
            outcome,
            baseline: None,
            now: None,
            limit: None,
            worse: 0.0,
            message: message.into(),
            details: vec![],
            about: vec![],
            needs: None,
            exception: None,
        }
    }
}

/// The sum of all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GateVerdict {
    /// Nothing got worse.
    Passed,
    /// Something did.
    Regression,
    /// Nothing that was judged got worse, but not all could be judged.
    Unjudged,
}

impl GateVerdict {
    /// What checks come to.
    pub fn of(checks: &[Check]) -> Self {
        let any = |outcome: Outcome| checks.iter().any(|check| check.outcome == outcome);
        match (any(Outcome::Failed), any(Outcome::Unjudged)) {
            (true, _) => GateVerdict::Regression,
            (false, true) => GateVerdict::Unjudged,
            (false, false) => GateVerdict::Passed,
        }
    }

    /// The exit status, which is part of the public interface.
    pub fn exit_status(self) -> u8 {
        match self {
            GateVerdict::Passed => 0,
            GateVerdict::Regression => 1,
            GateVerdict::Unjudged => 2,
        }
    }
}
