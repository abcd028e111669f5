//! What every form tells.

use super::located::Located;
use crate::gate::{Baseline, Date, Judgement, Location, Rule, plain};

/// What is told.
pub struct Statement<'a> {
    /// The bundle, as it was named.
    pub bundle: String,
    /// The baseline's file, as it was named.
    pub file: String,
    /// Where it is in its repository.
    pub located: Located,
    /// The baseline; `None` if it cannot be read.
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
    pub(super) fn line(&self, rule: Rule, place: &Location) -> usize {
        let of_output = format!("{}/{}", place.partition, place.name);
        let keys = match place.partition.as_str() {
            "" if self.set(&place.name).is_some() => self.set(&place.name).unwrap_or_default(),
            partition if rule == Rule::GoalLoosened && !partition.is_empty() => vec!["goals", &of_output],
            "" => vec![rule.stated().section, &place.name],
            partition => vec!["partitions", partition, rule.stated().section, &place.name],
        };
        self.baseline.map_or(1, |baseline| baseline.line(&keys))
    }

    /// Where a set of samples, or an output of one, stands in the baseline.
    fn set<'a>(&self, name: &'a str) -> Option<Vec<&'a str>> {
        let sets = &self.baseline?.facts.sets;
        let (set, output) = name.split_once(": ").unwrap_or((name, ""));
        sets.contains_key(set).then(|| vec!["sets", set, "outputs", output])
    }

    /// The day that exceptions are judged for, where it is not the clock's.
    pub(super) fn given_day(&self) -> Option<String> {
        self.is_day_given.then(|| format!("judged for {}, from SOURCE_DATE_EPOCH", self.today))
    }

    /// What was judged, against what.
    pub(super) fn subject(&self) -> String {
        let digest = self.baseline.map_or(String::new(), |baseline| format!(" (sha256 {})", baseline.digest));
        let of = self.baseline.map_or(String::new(), |baseline| {
            format!(" ({} for {}, recipe {})", baseline.facts.model, baseline.facts.target, baseline.facts.recipe)
        });
        plain(&format!("{}{of} against {}{digest}", self.bundle, self.file))
    }
}
