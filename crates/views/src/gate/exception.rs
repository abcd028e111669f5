//! Exceptions: what may be otherwise at some places, why, and until when.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::check::Excepted;
use super::date::Date;
use super::rule::Rule;
use autoneural_base::error::{Error, Result};
use autoneural_base::text::glob;

/// An exception for some places, as the thresholds have it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Glob on the place, as the gate prints it.
    #[serde(alias = "match")]
    pub place: String,
    /// Glob on the name of the check.
    pub check: String,
    /// The limit there; without one everything is accepted there.
    pub limit: Option<f64>,
    /// Why.
    pub reason: String,
    #[serde(alias = "expires")]
    last_day: toml::value::Datetime,
}

impl Exception {
    /// The last day on which it holds.
    pub fn last_day(&self) -> Date {
        self.last_day.date.as_ref().map_or(Date::of_seconds(0), Date::of_toml)
    }

    /// Whether it is for a check at a place. One with a limit is for checks that have a limit.
    pub fn fits(&self, rule: Rule, place: &str) -> bool {
        self.names(rule) && glob(&self.place, place)
    }

    fn names(&self, rule: Rule) -> bool {
        rule.can_be_excepted() && glob(&self.check, rule.id()) && (self.limit.is_none() || rule.unit().is_some())
    }

    /// What is shown of it where it decides.
    pub fn shown(&self, today: Date) -> Excepted {
        let last_day = self.last_day();
        Excepted { reason: self.reason.clone(), last_day, days_left: last_day.days_after(today) }
    }

    /// Refuses what cannot be; `key` is its place in the file.
    ///
    /// # Errors
    /// No date, no reason, a limit that is no number or that the check does not have, a check that there is not.
    pub fn check(&self, path: &Path, key: &str) -> Result<()> {
        let fail = |message: String| Err(Error::input(format!("{}: {key}", path.display()), message));
        let matched: Vec<Rule> = Rule::ALL.iter().copied().filter(|rule| glob(&self.check, rule.id())).collect();
        if matched.is_empty() {
            return Err(unknown_check(&format!("{}: {key}", path.display()), &self.check));
        }
        if self.last_day.date.is_none() {
            return fail("`last_day` has no date; write it as 2027-03-31".into());
        }
        if self.reason.trim().is_empty() {
            return fail("`reason` is empty; say why the exception is made".into());
        }
        if self.limit.is_some_and(|limit| !limit.is_finite()) {
            return fail("`limit` is no finite number; leave it out where any figure may be".into());
        }
        if matched == [Rule::Exception] {
            return fail("no exception is made from `exception`; give the other one a later `last_day`".into());
        }
        if self.limit.is_some() && !matched.iter().any(|rule| rule.unit().is_some()) {
            return fail(format!("`{}` has no figure to limit; leave `limit` out", self.check));
        }
        Ok(())
    }
}

/// How many characters two texts share at their beginning and at their end.
pub(crate) fn likeness(a: &str, b: &str) -> usize {
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - start;
    start + a.bytes().rev().zip(b.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count()
}

/// The error that a name, or a glob, is that of no check.
pub fn unknown_check(place: &str, name: &str) -> Error {
    let likeness = |rule: &&Rule| {
        let common = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
            a.zip(b).take_while(|(a, b)| a == b).count()
        };
        let id = rule.id();
        let start = common(&mut name.bytes(), &mut id.bytes());
        let end = common(&mut name.bytes().rev(), &mut id.bytes().rev());
        let part = id.split('-').filter(|part| name.contains(part)).map(str::len).max().unwrap_or(0);
        (start.max(end).max(part), std::cmp::Reverse(id.len()))
    };
    let known = Rule::ALL.iter().filter(|rule| rule.can_be_excepted());
    let nearest = known.clone().max_by_key(likeness).filter(|rule| likeness(rule).0 > 2);
    let nearest = nearest.map_or(String::new(), |rule| format!(" (did you mean `{}`?)", rule.id()));
    let names: Vec<&str> = known.map(|rule| rule.id()).collect();
    let help = format!("the checks are {}; `autoneural gate --list-checks` says more", names.join(", "));
    Error::input(place, format!("`{name}` is the name of no check{nearest}")).help(help)
}

/// Whether an exception is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It accepts something that would have failed, or could not be judged.
    Used,
    /// It fits checks that pass without it.
    Unneeded,
    /// It fits no check.
    Unmatched,
    /// Its last day is over.
    Expired,
}

/// An exception with what it does in a judgement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExceptionReport {
    /// Glob on the name of the check.
    pub check: String,
    /// Glob on the place.
    pub place: String,
    /// The limit there; `None` if everything is accepted.
    pub limit: Option<f64>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub last_day: Date,
    /// How many days are left after today; 0 also where it is over.
    pub days_left: u64,
    /// Whether it is needed.
    pub state: State,
}

impl ExceptionReport {
    /// What it is from, in a line's beginning.
    pub fn subject(&self) -> String {
        format!("{} at {}", self.check, self.place)
    }
}
