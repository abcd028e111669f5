//! Checks of figures: SQNR, errors, answers, nodes, bytes.

use std::collections::BTreeSet;

use super::changes::some;
use super::check::{Check, Location, Outcome, Rule};
use super::facts::{EvaluationFacts, Facts, PartitionFacts};
use super::goals::place_of;
use super::judge::{
    ANSWERS, BYTES, FLOAT_DB, Figures, Judge, Measure, NPU_DB, PERPLEXITY, RMS, SIMULATED_DB, TOKENS, Unit, WORST_DB,
    WORST_SIMULATED_DB,
};
use super::sets;
use autoneural_app::report::{Columns, GoalKind, GoalReport, Report, VerdictState};

/// Adds all checks of figures.
pub(crate) fn check(judge: &mut Judge, baseline: &Facts, now: &Facts, report: &Report) {
    goals(judge, now, report);
    for (name, partition) in &now.partitions {
        if let Some(before) = baseline.partitions.get(name) {
            outputs(judge, name, before, partition);
            layers(judge, name, before, partition);
            nodes(judge, name, before, partition);
            sizes(judge, name, before, partition);
        }
    }
    let thresholds = judge.thresholds;
    for partition in &report.partitions {
        let figures = Figures { baseline: None, now: partition.frozen.as_ref().map(|frozen| frozen.sqnr_db) };
        let (place, limit) = (Location::of(&partition.name, ""), thresholds.frozen.floor_db);
        judge.hold(Rule::FrozenFloor, place, Measure::AtLeast, FLOAT_DB, figures, limit);
    }
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
    let device = Figures { baseline: bytes(baseline.device_bytes), now: bytes(now.device_bytes) };
    let limit = thresholds.size.device_growth_percent;
    judge.hold(Rule::DeviceSize, Location::of("", "device"), Measure::Growth, BYTES, device, limit);
    let place = || Location::of("", "sequences");
    let (logits, simulated) = judge.column(baseline.chain.logits_db, now.chain.logits_db);
    judge.hold(Rule::ChainSqnr, place(), Measure::Drop, db(simulated), logits, thresholds.chain.drop_db);
    let (tokens, _) = judge.column(baseline.chain.same_token_percent, now.chain.same_token_percent);
    let limit = thresholds.chain.same_token_drop_points;
    judge.hold(Rule::ChainTokens, place(), Measure::Drop, TOKENS, tokens, limit);
    evaluations(judge, baseline, now);
    sets::look(judge, &baseline.sets, &now.sets);
}

/// Goals of the recipe, each a check, and what was demanded on the command line.
fn goals(judge: &mut Judge, now: &Facts, report: &Report) {
    let of_recipe = |goal: &&GoalReport| goal.kind != GoalKind::Difference;
    let mut told = BTreeSet::new();
    for goal in report.verdict.goals.iter().filter(of_recipe) {
        let place = place_of(&goal.of, now);
        let is_enough = !judge.thresholds.npu.required && goal.reached.is_some();
        let outcome = match goal.state {
            VerdictState::Missed => Outcome::Failed,
            VerdictState::NotMeasured if !is_enough => Outcome::Unjudged,
            _ => Outcome::Passed,
        };
        let message = format!("{} {}, wanted {}", goal.kind.words(), goal.reached_text(), goal.wanted_text());
        let short = goal.reached.map_or(0.0, |reached| goal.wanted - reached);
        let worse = if goal.kind.is_most() { -short } else { short };
        let check = Check::new(Rule::Goal, place, outcome, message);
        judge.add(Check { now: goal.reached, limit: Some(goal.wanted), worse, ..check });
        told.insert(goal.line());
    }
    let others: Vec<&String> = report.failures.iter().filter(|failure| !told.contains(*failure)).collect();
    for failure in &others {
        judge.add(Check::new(Rule::Demands, Location::default(), Outcome::Failed, failure.as_str()));
    }
    if others.is_empty() {
        judge.add(Check::new(Rule::Demands, Location::default(), Outcome::Passed, "all demands are met"));
    }
}

fn db(simulated: bool) -> Unit {
    if simulated { SIMULATED_DB } else { NPU_DB }
}

fn outputs(judge: &mut Judge, partition: &str, baseline: &PartitionFacts, now: &PartitionFacts) {
    let thresholds = &judge.thresholds.outputs;
    let (floor, drop, rise) = (thresholds.floor_db, thresholds.drop_db, thresholds.rms_rise_points);
    let worst_drop = thresholds.worst_sample_drop_db;
    for (name, output) in &now.outputs {
        let place = || Location::of(partition, name);
        let before = baseline.outputs.get(name);
        let (sqnr, simulated) = judge.column(before.map(|b| b.sqnr_db).unwrap_or_default(), output.sqnr_db);
        let (rms, _) = judge.column(before.map(|b| b.rms_error_percent).unwrap_or_default(), output.rms_error_percent);
        if sqnr.now.is_none() && judge.thresholds.npu.required {
            let message = "was not measured on the NPU";
            judge.add(Check::new(Rule::SqnrFloor, place(), Outcome::Unjudged, message));
            continue;
        }
        judge.hold(Rule::SqnrFloor, place(), Measure::AtLeast, db(simulated), sqnr, floor);
        judge.hold(Rule::SqnrDrop, place(), Measure::Drop, db(simulated), sqnr, drop);
        judge.hold(Rule::RmsError, place(), Measure::Rise, RMS, rms, rise);
        // A baseline of a version before does not know the worst sample.
        let (worst, simulated) = judge.column(before.map(|b| b.worst_db).unwrap_or_default(), output.worst_db);
        if worst.baseline.is_some() {
            let unit = if simulated { WORST_SIMULATED_DB } else { WORST_DB };
            judge.hold(Rule::OutputWorst, place(), Measure::Drop, unit, worst, worst_drop);
        }
    }
}

/// A layer is judged by the NPU where the baseline has it so, else by the simulation: which layers run on the NPU is a
/// choice of verification, and the sentence says which it was.
fn layers(judge: &mut Judge, partition: &str, baseline: &PartitionFacts, now: &PartitionFacts) {
    if now.layers.is_empty() && !baseline.layers.is_empty() {
        let message = format!("no layer was measured; the baseline has {}", baseline.layers.len());
        judge.add(Check::new(Rule::LayerDrop, Location::of(partition, ""), Outcome::Unjudged, message));
    }
    let missing: Vec<&str> =
        baseline.layers.keys().filter(|name| !now.layers.contains_key(*name)).map(String::as_str).collect();
    if !now.layers.is_empty() && !missing.is_empty() {
        let message = format!("{} layers of the baseline were not measured: {}", missing.len(), some(&missing));
        judge.add(Check::new(Rule::LayerDrop, Location::of(partition, ""), Outcome::Unjudged, message));
    }
    let limits = judge.thresholds.layers.clone();
    for (name, layer) in &now.layers {
        let place = || Location::of(partition, name);
        let before = baseline.layers.get(name).copied().unwrap_or_default();
        let pick = |of: fn(Columns) -> Option<f64>| Figures { baseline: of(before), now: of(*layer) };
        let has_npu = is_layer_on_npu(before, *layer);
        let figures = if has_npu { pick(|columns| columns.npu) } else { pick(|columns| columns.simulated) };
        judge.hold(Rule::LayerFloor, place(), Measure::AtLeast, db(!has_npu), figures, limits.floor_db);
        let limit = limits.limit(figures.baseline);
        judge.hold(Rule::LayerDrop, place(), Measure::Drop, db(!has_npu), figures, limit);
    }
}

/// Whether a layer is judged by the NPU.
pub(crate) fn is_layer_on_npu(before: Columns, now: Columns) -> bool {
    before.npu.is_some() || (before.simulated.is_none() && now.npu.is_some())
}

fn nodes(judge: &mut Judge, partition: &str, baseline: &PartitionFacts, now: &PartitionFacts) {
    let outside = |facts: &PartitionFacts| facts.npu_nodes.map(|inside| facts.nodes - inside);
    let place = Location::of(partition, "");
    let (before, after) = (outside(baseline), outside(now));
    // No node may leave; one that was outside may stay there.
    let general = (judge.thresholds.nodes.outside_npu as f64).min(before.unwrap_or(0) as f64);
    let exception = judge.exception(Rule::NodesOutside, &place);
    let limited = exception.and_then(|exception| Some((exception, exception.limit?)));
    let most = limited.map_or(general, |(_, limit)| limit);
    let (outcome, message) = match after {
        Some(count) if count as f64 > most => {
            let before = before.map_or("-".into(), |before| before.to_string());
            let message = format!(
                "{count} of {} nodes are outside the NPU; {before} in the baseline, at most {most} allowed",
                now.nodes
            );
            (Outcome::Failed, message)
        }
        Some(count) if count as f64 > general => {
            (Outcome::Excepted, format!("{count} of {} nodes are outside the NPU; {most} allowed", now.nodes))
        }
        Some(count) => (Outcome::Passed, format!("{count} of {} nodes are outside the NPU", now.nodes)),
        None if before.is_some() || judge.thresholds.npu.required => {
            (Outcome::Unjudged, "has no context binary, so its nodes cannot be counted".to_string())
        }
        None => (Outcome::Skipped, "has no context binary, nor in the baseline".to_string()),
    };
    let is_told = matches!(outcome, Outcome::Failed | Outcome::Excepted);
    let exception = limited.filter(|_| is_told).map(|(exception, _)| judge.need(exception));
    let figure = |count: Option<usize>| count.map(|count| count as f64);
    let (baseline, now) = (figure(before), figure(after));
    let needs = now.filter(|_| outcome == Outcome::Failed);
    let check = Check::new(Rule::NodesOutside, place, outcome, message);
    judge.add(Check { baseline, now, limit: Some(most), needs, exception, ..check });
}

fn sizes(judge: &mut Judge, partition: &str, baseline: &PartitionFacts, now: &PartitionFacts) {
    let place = || Location::of(partition, "");
    let figures = |of: fn(&PartitionFacts) -> Option<u64>| Figures {
        baseline: of(baseline).map(|bytes| bytes as f64),
        now: of(now).map(|bytes| bytes as f64),
    };
    let (binary, buffer) = (judge.thresholds.size.binary_growth_percent, judge.thresholds.size.buffer_growth_percent);
    let bytes = figures(|facts| facts.binary_bytes);
    judge.hold(Rule::BinarySize, place(), Measure::Growth, BYTES, bytes, binary);
    judge.hold(Rule::BufferSize, place(), Measure::Growth, BYTES, figures(|facts| facts.buffer_bytes), buffer);
}

fn evaluations(judge: &mut Judge, baseline: &Facts, now: &Facts) {
    let thresholds = &judge.thresholds.evaluation;
    let (accuracy, perplexity) = (thresholds.accuracy_drop_points, thresholds.perplexity_rise_percent);
    let required = thresholds.required;
    let names: BTreeSet<&String> = baseline.evaluations.keys().chain(now.evaluations.keys()).collect();
    for name in names {
        let (before, after) = (baseline.evaluations.get(name), now.evaluations.get(name));
        let place = || Location::of("", name);
        if after.is_none() && !required {
            judge.add(Check::new(Rule::Accuracy, place(), Outcome::Skipped, "was not evaluated"));
            continue;
        }
        // A text has no answers.
        let answers = |facts: Option<&EvaluationFacts>| facts.and_then(|facts| facts.accuracy_percent);
        let exact = Figures { baseline: answers(before), now: answers(after) };
        if exact.baseline.or(exact.now).is_some() {
            judge.hold(Rule::Accuracy, place(), Measure::Drop, ANSWERS, exact, accuracy);
        }
        let surprise = Figures { baseline: before.map(|e| e.perplexity), now: after.map(|e| e.perplexity) };
        judge.hold(Rule::Perplexity, place(), Measure::Growth, PERPLEXITY, surprise, perplexity);
    }
}
