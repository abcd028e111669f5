//! Partitions, goals and evaluations of a new baseline.

use super::changes::{Change, Group};
use super::held::{Held, Update};
use crate::gate::check::Location;
use crate::gate::facts::{EvaluationFacts, Facts, OutputFacts, PartitionFacts};
use crate::gate::figures::is_layer_on_npu;
use crate::gate::goals::{goals, place_of};
use crate::gate::judge::{ANSWERS, Measure, NPU_DB, PERPLEXITY, RMS};
use crate::gate::rule::Rule;

impl Update<'_> {
    pub(crate) fn partitions(&mut self, before: &Facts, now: &Facts, made: &mut Facts) {
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
    pub(crate) fn goals(&mut self, before: &Facts, now: &Facts, made: &mut Facts) {
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
        let held = Held { rule: Rule::OutputWorst, what: "worst sample", measure: Measure::Drop, unit: NPU_DB, ..held };
        let worst_db = self.columns(&held, place, limits.worst_sample_drop_db, simulated, old.worst_db, new.worst_db);
        OutputFacts { sqnr_db, rms_error_percent, worst_db }
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

    pub(crate) fn evaluations(&mut self, before: &Facts, now: &Facts, made: &mut Facts) {
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
            let exact = new.and_then(|new| new.accuracy_percent);
            let accuracy = match old.accuracy_percent {
                Some(_) => self.figure(&held, &place, limits.accuracy_drop_points, old.accuracy_percent, exact),
                None => None,
            };
            let held = Held { rule: Rule::Perplexity, measure: Measure::Growth, unit: PERPLEXITY, ..held };
            let surprise = new.map(|new| new.perplexity);
            let perplexity = self.figure(&held, &place, limits.perplexity_rise_percent, Some(old.perplexity), surprise);
            made.evaluations.insert(
                name.clone(),
                EvaluationFacts {
                    questions: old.questions,
                    accuracy_percent: accuracy.or(old.accuracy_percent),
                    perplexity: perplexity.unwrap_or(old.perplexity),
                },
            );
        }
        for name in now.evaluations.keys().filter(|name| !before.evaluations.contains_key(*name)) {
            self.first(Group::Evaluations, &Location::of("", name), "the evaluation is new");
        }
    }
}
