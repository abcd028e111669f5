//! Holding one figure against another: the limit at a place, exceptions from it, and the sentence about it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::check::{Check, Excepted, Location, Outcome, Rule, days};
use super::date::Date;
use super::exception::{Exception, ExceptionReport, State, likeness};
use super::thresholds::{Policy, Thresholds};
use autoneural_app::report::Columns;
use autoneural_base::text::glob;

/// How a figure is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measure {
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
pub(crate) struct Unit {
    /// Words after a figure, such as ` dB on the NPU`.
    pub of: &'static str,
    /// Words after a difference, such as ` dB`.
    pub difference: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// What a figure is that got worse, and one that got better.
    pub words: [&'static str; 2],
}

impl Unit {
    /// The word for a figure that got worse by so much, or better.
    pub(crate) fn word(&self, worse: f64) -> &'static str {
        self.words[usize::from(worse < 0.0)]
    }
}

/// SQNR on the NPU.
pub(crate) const NPU_DB: Unit = Unit { of: " dB on the NPU", difference: " dB", digits: 2, words: WORDS };
/// SQNR of the simulation.
pub(crate) const SIMULATED_DB: Unit = Unit { of: " dB simulated", ..NPU_DB };
/// SQNR of float against float.
pub(crate) const FLOAT_DB: Unit = Unit { of: " dB in float", ..NPU_DB };
/// RMS error.
pub(crate) const RMS: Unit = Unit { of: " % RMS error", difference: " points", digits: 3, words: WORDS };
/// Tokens of whole sequences.
pub(crate) const TOKENS: Unit =
    Unit { of: " % of steps with the token of float", difference: " points", digits: 2, words: WORDS };
/// Exact answers.
pub(crate) const ANSWERS: Unit = Unit { of: " % exact answers", ..TOKENS };
/// Right classes.
pub(crate) const TOP1: Unit = Unit { of: " % top-1", ..TOKENS };
/// Right classes among the five most likely ones.
pub(crate) const TOP5: Unit = Unit { of: " % top-5", ..TOKENS };
/// Classes that are float's.
pub(crate) const SAME_CLASS: Unit = Unit { of: " % of samples with the class of float", ..TOKENS };
/// SQNR over a set of samples, on the engine that the place names.
pub(crate) const SET_DB: Unit = Unit { of: " dB", ..NPU_DB };
/// The same of the worst sample.
pub(crate) const WORST_DB: Unit = Unit { of: " dB in the worst sample", ..NPU_DB };
/// The same in simulation.
pub(crate) const WORST_SIMULATED_DB: Unit = Unit { of: " dB simulated in the worst sample", ..NPU_DB };
/// Perplexity.
pub(crate) const PERPLEXITY: Unit = Unit { of: " perplexity", difference: "", digits: 4, words: WORDS };
/// Sizes.
pub(crate) const BYTES: Unit = Unit { of: " bytes", difference: " bytes", digits: 0, words: ["larger", "smaller"] };

const WORDS: [&str; 2] = ["worse", "better"];

/// The figures of a check, before and now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Of the baseline.
    pub baseline: Option<f64>,
    /// Of the report.
    pub now: Option<f64>,
}

/// Makes checks.
pub(crate) struct Judge<'a> {
    /// What is demanded.
    pub thresholds: &'a Thresholds,
    today: Date,
    states: Vec<State>,
    checks: Vec<Check>,
}

impl<'a> Judge<'a> {
    /// A judge on a day.
    pub(crate) fn new(thresholds: &'a Thresholds, today: Date) -> Self {
        let state = |exception: &Exception| match exception.last_day() < today {
            true => State::Expired,
            false => State::Unmatched,
        };
        Judge { thresholds, today, states: thresholds.exceptions.iter().map(state).collect(), checks: vec![] }
    }

    /// The exception in force for a check at a place: the last that fits.
    pub(crate) fn exception(&mut self, rule: Rule, place: &Location) -> Option<&'a Exception> {
        let place = place.to_string();
        let mut found = None;
        for (exception, state) in self.thresholds.exceptions.iter().zip(&mut self.states) {
            if *state != State::Expired && exception.fits(rule, &place) {
                *state = if *state == State::Used { State::Used } else { State::Unneeded };
                found = Some(exception);
            }
        }
        found
    }

    /// Notes that an exception accepts something, and gives what is shown of it.
    pub(crate) fn need(&mut self, exception: &Exception) -> Excepted {
        let at = self.thresholds.exceptions.iter().position(|other| std::ptr::eq(other, exception));
        at.into_iter().for_each(|at| self.states[at] = State::Used);
        exception.shown(self.today)
    }

    /// Adds a check. What would be told of it is accepted where an exception without a limit fits.
    pub(crate) fn add(&mut self, mut check: Check) {
        let exception = self.exception(check.rule, &check.place);
        if matches!(check.outcome, Outcome::Failed | Outcome::Unjudged | Outcome::Warning)
            && let Some(exception) = exception.filter(|exception| exception.limit.is_none())
        {
            check.outcome = Outcome::Excepted;
            check.exception = Some(self.need(exception));
        }
        self.checks.push(check);
    }

    /// Holds a figure; one that the baseline has and the report has not cannot be judged.
    pub(crate) fn hold(
        &mut self,
        rule: Rule,
        place: Location,
        measure: Measure,
        unit: Unit,
        figures: Figures,
        limit: f64,
    ) {
        let allowed = self.thresholds.allowed(rule);
        let mut check = held(rule, &place, measure, unit, figures, limit, allowed.as_deref());
        let exception = self.exception(rule, &place);
        if let Some((exception, other)) = exception.and_then(|exception| Some((exception, exception.limit?))) {
            let general = check.outcome;
            check = held(rule, &place, measure, unit, figures, other, None);
            if general == Outcome::Failed || check.outcome == Outcome::Failed {
                check.exception = Some(self.need(exception));
            }
            if general == Outcome::Failed && check.outcome == Outcome::Passed {
                check.outcome = Outcome::Excepted;
            }
        }
        self.add(check);
    }

    /// The column that is judged: the NPU's, or where figures of simulation are enough and neither side has one of the
    /// NPU, the simulation's. The flag tells that it is the latter.
    pub(crate) fn column(&self, baseline: Columns, now: Columns) -> (Figures, bool) {
        let simulated = !self.thresholds.npu.required && baseline.npu.is_none() && now.npu.is_none();
        let of = |columns: Columns| if simulated { columns.simulated } else { columns.npu };
        (Figures { baseline: of(baseline), now: of(now) }, simulated)
    }

    /// What a policy makes of a change.
    pub(crate) fn change(&mut self, rule: Rule, place: Location, policy: Policy, message: String) {
        let outcome = match policy {
            Policy::Fail => Outcome::Failed,
            Policy::Warn => Outcome::Warning,
            Policy::Allow => Outcome::Passed,
        };
        self.add(Check::new(rule, place, outcome, message));
    }

    /// The place that is most like an exception's, of those that its checks looked at.
    fn nearest(&self, exception: &ExceptionReport) -> Option<String> {
        let fits = |check: &&Check| check.rule.can_be_excepted() && glob(&exception.check, check.rule.id());
        let places: BTreeSet<String> = self.checks.iter().filter(fits).map(|check| check.place.to_string()).collect();
        let likeness = |place: &String| likeness(&exception.place, place);
        let found = places.into_iter().rev().max_by_key(|place| (likeness(place), Reverse(place.len())))?;
        // Most of what was written.
        (2 * likeness(&found) > exception.place.len()).then_some(found)
    }

    /// All checks, the worst first, and the exceptions.
    pub(crate) fn finish(mut self) -> (Vec<Check>, Vec<ExceptionReport>) {
        let report = |(exception, state): (&Exception, &State)| {
            let Excepted { reason, last_day, days_left } = exception.shown(self.today);
            let (check, place) = (exception.check.clone(), exception.place.clone());
            ExceptionReport { check, place, limit: exception.limit, reason, last_day, days_left, state: *state }
        };
        let exceptions: Vec<ExceptionReport> =
            self.thresholds.exceptions.iter().zip(&self.states).map(report).collect();
        for exception in &exceptions {
            let place = Location::of("", &format!("exception of {}", exception.subject()));
            let left = days(exception.days_left);
            let (last_day, reason) = (exception.last_day, &exception.reason);
            let (outcome, message) = match exception.state {
                State::Expired => {
                    let message = format!("is over since {last_day}, its last day; take it out or renew it ({reason})");
                    (Outcome::Failed, message)
                }
                State::Unmatched => {
                    let nearest =
                        self.nearest(exception).map_or(String::new(), |at| format!(" (did you mean `{at}`?)"));
                    (Outcome::Warning, format!("fits no check{nearest}; take it out ({reason})"))
                }
                State::Used => (Outcome::Passed, format!("until {last_day}, {left}: {reason}")),
                State::Unneeded => {
                    (Outcome::Passed, format!("until {last_day}, {left}: {reason}; all passes without it"))
                }
            };
            self.checks.push(Check::new(Rule::Exception, place, outcome, message));
        }
        self.checks.sort_by(|a, b| (a.outcome, a.rule).cmp(&(b.outcome, b.rule)).then(b.worse.total_cmp(&a.worse)));
        (self.checks, exceptions)
    }
}

/// Holds a figure against a limit; `allowed` says it in words where it is not one number.
fn held(
    rule: Rule,
    place: &Location,
    measure: Measure,
    unit: Unit,
    figures: Figures,
    limit: f64,
    allowed: Option<&str>,
) -> Check {
    let text = |value: f64| format!("{value:.*}{}", unit.digits, unit.of);
    let Figures { baseline, now } = figures;
    let (outcome, worse, message) = match (measure, baseline, now) {
        (Measure::AtLeast, _, Some(now)) => {
            let message = match now >= limit {
                true => format!("{}, at least {limit} wanted", text(now)),
                false => format!("{} is less than {limit}{}, the least that is allowed", text(now), unit.difference),
            };
            (outcome(now >= limit), limit - now, message)
        }
        (_, Some(before), Some(now)) => {
            let worse = worse_by(measure, before, now);
            (outcome(worse <= limit), worse, compared(measure, unit, before, now, limit, allowed))
        }
        (_, Some(before), None) => {
            (Outcome::Unjudged, 0.0, format!("was not measured; the baseline has {}", text(before)))
        }
        (Measure::AtLeast, None, None) => (Outcome::Skipped, 0.0, "was not measured".into()),
        (_, None, Some(now)) => (Outcome::Skipped, 0.0, format!("{}; the baseline has no such figure", text(now))),
        (_, None, None) => (Outcome::Skipped, 0.0, "was not measured, nor for the baseline".into()),
    };
    // With a digit to spare, so that a person can read it.
    let needs = match (outcome, measure) {
        (Outcome::Failed, Measure::AtLeast) => now.map(|now| (now * 10.0).floor() / 10.0),
        (Outcome::Failed, _) => Some((worse * 10.0).ceil() / 10.0).filter(|limit| limit.is_finite()),
        _ => None,
    };
    let check = Check::new(rule, place.clone(), outcome, message);
    Check { baseline, now, limit: Some(limit), worse, needs, ..check }
}

fn outcome(is_well: bool) -> Outcome {
    if is_well { Outcome::Passed } else { Outcome::Failed }
}

/// How much worse than before; below 0 where it is better. Rounded to a millionth, so that 0.5 below is not
/// 0.5000000001.
pub(crate) fn worse_by(measure: Measure, before: f64, now: f64) -> f64 {
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

/// The sentence about a figure beside that of the baseline: which is better is said in words.
fn compared(measure: Measure, unit: Unit, before: f64, now: f64, limit: f64, in_words: Option<&str>) -> String {
    let worse = worse_by(measure, before, now);
    let figure = |value: f64| format!("{value:.*}", unit.digits);
    let (now, of, before) = (figure(now), unit.of, figure(before));
    let (amount, allowed) = match measure {
        Measure::Growth => (format!("{:.2} %", worse.abs()), format!("{limit} %")),
        _ => (format!("{:.*}{}", unit.digits, worse.abs(), unit.difference), format!("{limit}{}", unit.difference)),
    };
    let word = unit.word(worse);
    match worse {
        0.0 => format!("{now}{of}, as in the baseline"),
        worse if worse < 0.0 => format!("{now}{of}, {word} by {amount} than the baseline's {before}"),
        _ if let Some(in_words) = in_words => {
            format!("{now}{of}, {word} by {amount} than the baseline's {before}; allowed: {in_words}")
        }
        worse if worse <= limit => {
            format!("{now}{of}, {word} by {amount} than the baseline's {before}; {allowed} allowed")
        }
        _ => format!("{now}{of}, {word} by {amount} than the baseline's {before}; at most {allowed} allowed"),
    }
}
