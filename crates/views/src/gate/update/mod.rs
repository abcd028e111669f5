//! A new baseline in place of an old one. It is judged by the thresholds, as a bundle is: what is worse than they allow
//! is not accepted without leave. What is worse within them stays as it was accepted, so that no number of updates
//! drifts further than one bundle may; what is better is taken. What is under an exception stays as it was in every
//! respect, so that a bundle without what the exception is for passes again.

mod changes;
mod encodings;
mod excepted;

use std::collections::BTreeSet;

pub use changes::{Change, Changes, Group};

use super::check::Location;
use super::date::Date;
use super::facts::{EvaluationFacts, Facts, OutputFacts, PartitionFacts};
use super::figures::is_layer_on_npu;
use super::goals::{goals, place_of};
use super::judge::{ANSWERS, BYTES, Judge, Measure, NPU_DB, PERPLEXITY, RMS, SIMULATED_DB, TOKENS, Unit, worse_by};
use super::rule::Rule;
use super::thresholds::Thresholds;
use autoneural_app::report::{Columns, Report};

/// What a baseline becomes with a bundle, and what that changes. The facts are to be written where nothing is looser;
/// to accept what is, the facts of the bundle itself are.
pub fn update(before: &Facts, now: &Facts, report: &Report, thresholds: &Thresholds, today: Date) -> (Facts, Changes) {
    let mut update = Update { judge: Judge::new(thresholds, today), changes: Changes::default() };
    let mut made = now.clone();
    update.partitions(before, now, &mut made);
    let sequences = Location::of("", "sequences");
    let (old, new) = (before.chain.logits_db, now.chain.logits_db);
    let simulated = update.judge.column(old, new).1;
    let held =
        Held { group: Group::Sequences, rule: Rule::ChainSqnr, what: "logits", measure: Measure::Drop, unit: NPU_DB };
    made.chain.logits_db = update.columns(&held, &sequences, thresholds.chain.drop_db, simulated, old, new);
    let (old, new) = (before.chain.same_token_percent, now.chain.same_token_percent);
    let simulated = update.judge.column(old, new).1;
    let held = Held { rule: Rule::ChainTokens, what: "tokens", unit: TOKENS, ..held };
    let limit = thresholds.chain.same_token_drop_points;
    made.chain.same_token_percent = update.columns(&held, &sequences, limit, simulated, old, new);
    let place = Location::of("", "device");
    let limit = thresholds.size.device_growth_percent;
    made.device_bytes = update.bytes(Rule::DeviceSize, &place, limit, before.device_bytes, now.device_bytes);
    update.evaluations(before, now, &mut made);
    update.goals(before, now, &mut made);
    for (is_version, old, new) in [(true, &before.versions, &now.versions), (false, &before.inputs, &now.inputs)] {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            let message = match (old.get(name), new.get(name)) {
                (Some(_), Some(_)) if !is_version => "is another file".to_string(),
                (Some(old), Some(new)) => format!("version {new}, {old} before"),
                (None, _) => "is new".to_string(),
                (_, None) => "is gone".to_string(),
            };
            // Versions are few and tell more than the files.
            let size = f64::from(u8::from(is_version));
            update.changes.others.push(Change { group: Group::Versions, place: Location::of("", name), message, size });
        }
    }
    let mut judge = Judge::new(thresholds, today);
    super::look(&mut judge, before, now, report);
    update.keep_excepted(&judge.finish().0, before, &mut made);
    update.changes.sort();
    (made, update.changes)
}

/// A figure that is held.
#[derive(Clone, Copy)]
struct Held {
    group: Group,
    rule: Rule,
    /// A word before the figure.
    what: &'static str,
    measure: Measure,
    unit: Unit,
}

struct Update<'a> {
    judge: Judge<'a>,
    changes: Changes,
}

impl Update<'_> {
    /// A figure that is judged, as the baseline is to have it.
    fn figure(&mut self, held: &Held, place: &Location, limit: f64, old: Option<f64>, new: Option<f64>) -> Option<f64> {
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
    fn columns(
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

    fn bytes(&mut self, rule: Rule, place: &Location, limit: f64, old: Option<u64>, new: Option<u64>) -> Option<u64> {
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

    fn partitions(&mut self, before: &Facts, now: &Facts, made: &mut Facts) {
        for (name, old) in &before.partitions {
            match now.partitions.get(name) {
                Some(new) => drop(made.partitions.insert(name.clone(), self.partition(name, old, new))),
                None if self.gone(name, "", "the partition is gone", &Location::of("", "partitions")) => {
                    made.partitions.insert(name.clone(), old.clone());
                }
                None => {}
            }
        }
        for name in now.partitions.keys().filter(|name| !before.partitions.contains_key(*name)) {
            self.first(Group::Graph, &Location::of(name, ""), "the partition is new");
        }
    }

    /// Goals of the recipe: none may be lower, or gone.
    fn goals(&mut self, before: &Facts, now: &Facts, made: &mut Facts) {
        for goal in goals(before, now).filter(|goal| goal.now != Some(goal.before)) {
            let (place, size) = (place_of(goal.of, before), goal.looser_by());
            let is_excepted = size > 0.0 && self.judge.exception(Rule::GoalLoosened, &place).is_some();
            if is_excepted {
                made.goals.entry(goal.of.to_string()).or_default().insert(goal.kind, goal.before);
            }
            let list = match size > 0.0 {
                true if is_excepted => &mut self.changes.excepted,
                true => &mut self.changes.looser,
                false => &mut self.changes.tighter,
            };
            list.push(Change { group: Group::Goals, place, message: goal.sentence(), size: size.abs() });
        }
        for new in goals(now, before).filter(|goal| goal.now.is_none()) {
            let message = format!("the goal for {} is new, {} {}", new.kind.words(), new.before, new.kind.unit());
            self.first(Group::Goals, &place_of(new.of, now), &message);
        }
    }

    /// Something of the graph that is gone, or holds less; whether an exception keeps it.
    fn gone(&mut self, partition: &str, name: &str, message: &str, excepted: &Location) -> bool {
        let is_kept = self.judge.exception(Rule::GraphChanged, excepted).is_some();
        let place = Location::of(partition, name);
        let change = Change { group: Group::Graph, place, message: message.to_string(), size: f64::INFINITY };
        if is_kept { &mut self.changes.excepted } else { &mut self.changes.looser }.push(change);
        is_kept
    }

    fn first(&mut self, group: Group, place: &Location, message: &str) {
        self.changes.tighter.push(Change { group, place: place.clone(), message: message.into(), size: 0.0 });
    }

    fn partition(&mut self, name: &str, old: &PartitionFacts, new: &PartitionFacts) -> PartitionFacts {
        let (thresholds, place) = (self.judge.thresholds, Location::of(name, ""));
        let mut made = new.clone();
        for (output, before) in &old.outputs {
            let place = Location::of(name, output);
            match new.outputs.get(output) {
                Some(after) => {
                    made.outputs.insert(output.clone(), self.output(&place, before, after));
                }
                None if self.gone(name, output, "the output is gone", &Location::of(name, "")) => {
                    made.outputs.insert(output.clone(), *before);
                }
                None => {}
            }
        }
        for output in new.outputs.keys().filter(|output| !old.outputs.contains_key(*output)) {
            self.first(Group::Outputs, &Location::of(name, output), "the output is new");
        }
        let held =
            Held { group: Group::Layers, rule: Rule::LayerDrop, what: "SQNR", measure: Measure::Drop, unit: NPU_DB };
        for (layer, &before) in &old.layers {
            let after = new.layers.get(layer).copied().unwrap_or_default();
            let npu = is_layer_on_npu(before, after);
            let figure = if npu { before.npu } else { before.simulated };
            let limit = thresholds.layers.limit(figure);
            let columns = self.columns(&held, &Location::of(name, layer), limit, !npu, before, after);
            made.layers.insert(layer.clone(), columns);
        }
        let measured = new.layers.keys().filter(|layer| !old.layers.contains_key(*layer)).count();
        if measured > 0 {
            self.first(Group::Layers, &place, &format!("{measured} more are held"));
        }
        let limit = thresholds.size.binary_growth_percent;
        made.binary_bytes = self.bytes(Rule::BinarySize, &place, limit, old.binary_bytes, new.binary_bytes);
        let limit = thresholds.size.buffer_growth_percent;
        made.buffer_bytes = self.bytes(Rule::BufferSize, &place, limit, old.buffer_bytes, new.buffer_bytes);
        self.nodes(&place, old, &mut made);
        self.encodings(name, old, &mut made);
        made
    }

    fn output(&mut self, place: &Location, old: &OutputFacts, new: &OutputFacts) -> OutputFacts {
        let limits = self.judge.thresholds.outputs.clone();
        let held =
            Held { group: Group::Outputs, rule: Rule::SqnrDrop, what: "SQNR", measure: Measure::Drop, unit: NPU_DB };
        let simulated = self.judge.column(old.sqnr_db, new.sqnr_db).1;
        let sqnr_db = self.columns(&held, place, limits.drop_db, simulated, old.sqnr_db, new.sqnr_db);
        let held = Held { rule: Rule::RmsError, what: "", measure: Measure::Rise, unit: RMS, ..held };
        let (before, after) = (old.rms_error_percent, new.rms_error_percent);
        let rms_error_percent = self.columns(&held, place, limits.rms_rise_points, simulated, before, after);
        OutputFacts { sqnr_db, rms_error_percent }
    }

    /// Nodes outside the NPU: none may be more than were accepted.
    fn nodes(&mut self, place: &Location, old: &PartitionFacts, made: &mut PartitionFacts) {
        let outside = |facts: &PartitionFacts| facts.npu_nodes.map(|inside| facts.nodes.saturating_sub(inside));
        let (before, after) = (outside(old), outside(made));
        if before == after {
            return;
        }
        let say = |count: Option<usize>| count.map_or("not known".to_string(), |count| count.to_string());
        let message = format!("{} nodes are outside the NPU, {} before", say(after), say(before));
        let change = Change { group: Group::Graph, place: place.clone(), message, size: f64::INFINITY };
        let allowed = self.judge.exception(Rule::NodesOutside, place).map(|exception| exception.limit);
        match (before, after) {
            (Some(before), Some(after)) if after < before => self.changes.tighter.push(change),
            (None, _) => self.changes.tighter.push(change),
            (Some(before), after) => {
                let is_accepted = allowed.is_some_and(|limit| match (limit, after) {
                    (None, _) => true,
                    (Some(limit), Some(after)) => after as f64 <= limit,
                    (Some(_), None) => false,
                });
                if !is_accepted {
                    return self.changes.looser.push(change);
                }
                made.npu_nodes = made.nodes.checked_sub(before).or(made.npu_nodes);
                self.changes.excepted.push(change);
            }
        }
    }

    fn evaluations(&mut self, before: &Facts, now: &Facts, made: &mut Facts) {
        let limits = self.judge.thresholds.evaluation.clone();
        for (name, old) in &before.evaluations {
            let (place, new) = (Location::of("", name), now.evaluations.get(name));
            if new.is_none() && !limits.required {
                made.evaluations.insert(name.clone(), *old);
                let message = "was not evaluated".to_string();
                self.changes.kept.push(Change { group: Group::Evaluations, place, message, size: 0.0 });
                continue;
            }
            let held = Held {
                group: Group::Evaluations,
                rule: Rule::Accuracy,
                what: "",
                measure: Measure::Drop,
                unit: ANSWERS,
            };
            let exact = new.map(|new| new.accuracy_percent);
            let accuracy = self.figure(&held, &place, limits.accuracy_drop_points, Some(old.accuracy_percent), exact);
            let held = Held { rule: Rule::Perplexity, measure: Measure::Growth, unit: PERPLEXITY, ..held };
            let surprise = new.map(|new| new.perplexity);
            let perplexity = self.figure(&held, &place, limits.perplexity_rise_percent, Some(old.perplexity), surprise);
            made.evaluations.insert(
                name.clone(),
                EvaluationFacts {
                    questions: old.questions,
                    accuracy_percent: accuracy.unwrap_or(old.accuracy_percent),
                    perplexity: perplexity.unwrap_or(old.perplexity),
                },
            );
        }
        for name in now.evaluations.keys().filter(|name| !before.evaluations.contains_key(*name)) {
            self.first(Group::Evaluations, &Location::of("", name), "the evaluation is new");
        }
    }
}
