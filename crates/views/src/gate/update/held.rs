//! Figures as a baseline is to have them, and what of them changes.

use super::changes::{Change, Changes, Group};
use crate::gate::check::Location;
use crate::gate::judge::{BYTES, Judge, Measure, NPU_DB, SIMULATED_DB, Unit, worse_by};
use crate::gate::rule::Rule;
use autoneural_app::report::Columns;

/// A figure that is held.
#[derive(Clone, Copy)]
pub struct Held {
    pub group: Group,
    pub rule: Rule,
    /// A word before the figure.
    pub what: &'static str,
    pub measure: Measure,
    pub unit: Unit,
}

/// An update that is being made.
pub struct Update<'a> {
    pub judge: Judge<'a>,
    pub changes: Changes,
}

impl Update<'_> {
    /// A figure that is judged, as the baseline is to have it.
    pub fn figure(
        &mut self,
        held: &Held,
        place: &Location,
        limit: f64,
        old: Option<f64>,
        new: Option<f64>,
    ) -> Option<f64> {
        let exception = self.judge.exception(held.rule, place);
        let limit = exception.map_or(limit, |exception| exception.limit.unwrap_or(f64::INFINITY));
        let Held { group, what, unit, measure, .. } = *held;
        let say = |value: f64| format!("{what} {value:.*}{}", unit.digits, unit.of);
        let change = |message: String, size: f64| Change { group, place: place.clone(), message, size };
        match (old, new) {
            (None, None) => None,
            (None, Some(value)) => {
                self.changes.tighter.push(change(format!("{}, not in the baseline before", say(value)), 0.0));
                new
            }
            (Some(value), None) => {
                let list = if exception.is_some_and(|exception| exception.limit.is_none()) {
                    &mut self.changes.excepted
                } else {
                    &mut self.changes.looser
                };
                list.push(change(format!("not measured, {} before", say(value)), f64::INFINITY));
                old
            }
            (Some(before), Some(now)) => {
                let worse = worse_by(measure, before, now);
                let by = match measure {
                    Measure::Growth => format!("{:.2} %", worse.abs()),
                    _ => format!("{:.*}{}", unit.digits.max(3), worse.abs(), unit.difference),
                };
                let message = format!("{}, {} by {by} than {before:.*}", say(now), unit.word(worse), unit.digits);
                let allowed = match (self.judge.thresholds.allowed(held.rule), measure) {
                    (Some(allowed), _) if exception.is_none() => format!("allowed: {allowed}"),
                    (_, Measure::Growth) => format!("at most {limit} % allowed"),
                    _ => format!("at most {limit}{} allowed", unit.difference),
                };
                let size = if limit > 0.0 { worse.abs() / limit } else { f64::INFINITY };
                match worse {
                    0.0 => old,
                    worse if worse < 0.0 => {
                        self.changes.tighter.push(change(message, size));
                        new
                    }
                    worse if worse <= limit => {
                        self.changes.kept.push(change(message, size));
                        old
                    }
                    _ => {
                        self.changes.looser.push(change(format!("{message}; {allowed}"), size));
                        new
                    }
                }
            }
        }
    }

    /// Both columns; the one that is not judged is not refused, but said.
    pub fn columns(
        &mut self,
        held: &Held,
        place: &Location,
        limit: f64,
        simulated: bool,
        old: Columns,
        new: Columns,
    ) -> Columns {
        let is_db = held.unit.difference == NPU_DB.difference;
        let on = |npu: bool| Held { unit: if npu || !is_db { held.unit } else { SIMULATED_DB }, ..*held };
        let mut judged = |npu: bool, old, new| match npu != simulated {
            true => self.figure(&on(npu), place, limit, old, new),
            false => self.beside(&on(npu), place, limit, old, new),
        };
        Columns { npu: judged(true, old.npu, new.npu), simulated: judged(false, old.simulated, new.simulated) }
    }

    fn beside(&mut self, held: &Held, place: &Location, limit: f64, old: Option<f64>, new: Option<f64>) -> Option<f64> {
        let refused = self.changes.looser.len();
        let made = self.figure(held, place, limit, old, new);
        let said: Vec<Change> = self.changes.looser.drain(refused..).collect();
        self.changes.others.extend(
            said.into_iter().map(|change| Change { message: format!("{} (not judged)", change.message), ..change }),
        );
        made
    }

    pub fn bytes(
        &mut self,
        rule: Rule,
        place: &Location,
        limit: f64,
        old: Option<u64>,
        new: Option<u64>,
    ) -> Option<u64> {
        let what = match rule {
            Rule::BinarySize => "context binary",
            Rule::BufferSize => "buffers",
            _ => "all that a device holds",
        };
        let held = Held { group: Group::Sizes, rule, what, measure: Measure::Growth, unit: BYTES };
        let float = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
        let made = self.figure(&held, place, limit, float(old), float(new));
        if made == float(new) { new } else { old }
    }

    /// Something of the graph that is gone, or holds less; whether an exception keeps it.
    pub fn gone(&mut self, partition: &str, name: &str, message: &str, excepted: &Location) -> bool {
        let is_kept = self.judge.exception(Rule::GraphChanged, excepted).is_some();
        let place = Location::of(partition, name);
        let change = Change { group: Group::Graph, place, message: message.to_string(), size: f64::INFINITY };
        if is_kept { &mut self.changes.excepted } else { &mut self.changes.looser }.push(change);
        is_kept
    }

    pub fn first(&mut self, group: Group, place: &Location, message: &str) {
        self.changes.tighter.push(Change { group, place: place.clone(), message: message.into(), size: 0.0 });
    }
}
