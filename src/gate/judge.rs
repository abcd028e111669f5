//! Holding one figure against another: the limit at a place, exceptions from it, and the sentence about it.

use super::check::{Check, Outcome, Place, Rule, Verdict};
use super::date::Date;
use super::thresholds::{Policy, Thresholds};
use crate::report::Columns;
use crate::text::glob;

/// How a figure is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// At least the limit.
    AtLeast,
    /// Below the baseline by the limit at most.
    Drop,
    /// Above the baseline by the limit at most.
    Rise,
    /// Above the baseline by the limit at most, in percent of the baseline.
    Growth,
}

/// What figures are of: words after a number.
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    /// Words after a figure, such as ` dB on the NPU`.
    pub of: &'static str,
    /// Words after a difference, such as ` dB`.
    pub difference: &'static str,
    /// Digits after the point.
    pub digits: usize,
}

/// The figures of a check, before and now.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Of the baseline.
    pub baseline: Option<f64>,
    /// Of the report.
    pub now: Option<f64>,
}

/// Makes checks.
pub struct Judge<'a> {
    /// What is demanded.
    pub thresholds: &'a Thresholds,
    today: Date,
    used: Vec<bool>,
    checks: Vec<Check>,
}

impl<'a> Judge<'a> {
    /// A judge on a day.
    pub fn new(thresholds: &'a Thresholds, today: Date) -> Self {
        Judge { thresholds, today, used: vec![false; thresholds.overrides.len()], checks: vec![] }
    }

    /// The limit at a place, with the reason where it is an exception's.
    pub fn limit(&mut self, rule: Rule, place: &Place, limit: f64) -> (f64, Option<String>) {
        let mut found = (limit, None);
        for (exception, used) in self.thresholds.overrides.iter().zip(&mut self.used) {
            if glob(&exception.check, rule.id()) && glob(&exception.place, &place.to_string()) {
                *used = true;
                if exception.last_day() >= self.today {
                    found = (exception.limit, Some(exception.reason.clone()));
                }
            }
        }
        found
    }

    /// Adds a check.
    pub fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Holds a figure; one that the baseline has and the report has not cannot be judged.
    pub fn hold(&mut self, rule: Rule, place: Place, measure: Measure, unit: Unit, figures: Figures, limit: f64) {
        let (limit, exception) = self.limit(rule, &place, limit);
        let text = |value: f64| format!("{value:.*}{}", unit.digits, unit.of);
        let Figures { baseline, now } = figures;
        let (outcome, worse, message) = match (measure, baseline, now) {
            (Measure::AtLeast, _, Some(now)) => {
                let message = match now >= limit {
                    true => format!("{}, at least {limit} wanted", text(now)),
                    false => {
                        format!("{} is less than {limit}{}, the least that is allowed", text(now), unit.difference)
                    }
                };
                (outcome(now >= limit), limit - now, message)
            }
            (_, Some(before), Some(now)) => {
                let worse = worse_by(measure, before, now);
                (outcome(worse <= limit), worse, compared(measure, unit, before, now, limit))
            }
            (_, Some(before), None) => {
                (Outcome::Unjudged, 0.0, format!("was not measured; the baseline has {}", text(before)))
            }
            (Measure::AtLeast, None, None) => (Outcome::Skipped, 0.0, "was not measured".into()),
            (_, None, Some(now)) => (Outcome::Skipped, 0.0, format!("{}; the baseline has no such figure", text(now))),
            (_, None, None) => (Outcome::Skipped, 0.0, "was not measured, nor for the baseline".into()),
        };
        let check = Check::new(rule, place, outcome, message);
        self.add(Check { baseline, now, limit: Some(limit), worse, exception, ..check });
    }

    /// The column that is judged: the NPU's, or where figures of simulation are enough and neither side has one of the
    /// NPU, the simulation's. The flag tells that it is the latter.
    pub fn column(&self, baseline: Columns, now: Columns) -> (Figures, bool) {
        let simulated = !self.thresholds.npu.required && baseline.npu.is_none() && now.npu.is_none();
        let of = |columns: Columns| if simulated { columns.simulated } else { columns.npu };
        (Figures { baseline: of(baseline), now: of(now) }, simulated)
    }

    /// What a policy makes of a change.
    pub fn change(&mut self, rule: Rule, place: Place, policy: Policy, message: String) {
        let outcome = match policy {
            Policy::Fail => Outcome::Failed,
            Policy::Warn => Outcome::Warning,
            Policy::Allow => Outcome::Passed,
        };
        self.add(Check::new(rule, place, outcome, message));
    }

    /// All checks, the worst first, and what they come to.
    pub fn finish(mut self) -> (Verdict, Vec<Check>) {
        for (exception, used) in self.thresholds.overrides.iter().zip(&self.used) {
            let place = Place::of("", &format!("override of {} at {}", exception.check, exception.place));
            let (outcome, message) = match (exception.last_day() < self.today, used) {
                (true, _) => (
                    Outcome::Failed,
                    format!("is over since {}; take it out or renew it ({})", exception.last_day(), exception.reason),
                ),
                (false, false) => (Outcome::Warning, "fits no check; take it out".to_string()),
                (false, true) => (Outcome::Passed, format!("until {}: {}", exception.last_day(), exception.reason)),
            };
            self.checks.push(Check::new(Rule::Override, place, outcome, message));
        }
        self.checks.sort_by(|a, b| (a.outcome, a.rule).cmp(&(b.outcome, b.rule)).then(b.worse.total_cmp(&a.worse)));
        let any = |outcome: Outcome| self.checks.iter().any(|check| check.outcome == outcome);
        let verdict = match (any(Outcome::Failed), any(Outcome::Unjudged)) {
            (true, _) => Verdict::Regression,
            (false, true) => Verdict::Unjudged,
            (false, false) => Verdict::Passed,
        };
        (verdict, self.checks)
    }
}

fn outcome(is_well: bool) -> Outcome {
    if is_well { Outcome::Passed } else { Outcome::Failed }
}

/// How much worse than before; below 0 where it is better. Rounded to a millionth, so that 0.5 below is not 0.5000000001.
pub fn worse_by(measure: Measure, before: f64, now: f64) -> f64 {
    let worse = match measure {
        Measure::AtLeast => 0.0,
        Measure::Drop => before - now,
        Measure::Rise => now - before,
        Measure::Growth if now == before => 0.0,
        Measure::Growth if before == 0.0 => f64::INFINITY,
        Measure::Growth => 100.0 * (now - before) / before,
    };
    (worse * 1e6).round() / 1e6
}

fn compared(measure: Measure, unit: Unit, before: f64, now: f64, limit: f64) -> String {
    let worse = worse_by(measure, before, now);
    let figure = |value: f64| format!("{value:.*}", unit.digits);
    let (now, of, before) = (figure(now), unit.of, figure(before));
    let (amount, allowed) = match measure {
        Measure::Growth => (format!("{:.2} %", worse.abs()), format!("{limit} %")),
        _ => (format!("{:.*}{}", unit.digits, worse.abs(), unit.difference), format!("{limit}{}", unit.difference)),
    };
    let (worse_word, better_word) = match measure {
        Measure::Drop | Measure::AtLeast => ("less", "more"),
        Measure::Rise | Measure::Growth => ("more", "less"),
    };
    match worse {
        0.0 => format!("{now}{of}, as in the baseline"),
        worse if worse < 0.0 => format!("{now}{of}, {amount} {better_word} than the baseline's {before}"),
        worse if worse <= limit => {
            format!("{now}{of}, {amount} {worse_word} than the baseline's {before}; {allowed} allowed")
        }
        _ => format!("{now}{of}, {amount} {worse_word} than the baseline's {before}; at most {allowed} allowed"),
    }
}
