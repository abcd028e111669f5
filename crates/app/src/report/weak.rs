//! Where a conversion is weak, and why: every output that misses its goal, or the weakest of its partition where no
//! goal is stated, with what its noise comes from: its own encoding, and the layers on its way.

use std::collections::BTreeSet;

use super::advice::Advisor;
use super::cause::{Cause, CauseReport, WeakOutput};
use super::columns::Columns;
use super::layers::LayerReport;
use super::outputs::{OutputReport, OwnEncoding, WorstCut};
use super::partition::PartitionReport;
use super::verdict::{GoalKind, Verdict, VerdictState};
use crate::verify::StepAt;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::ir::{Graph, Node};
use autoneural_core::partition::Partition;
use autoneural_core::quantize::{Table, weight};

/// Least noise that a layer adds to be named, in percent of its signal: less is not what an output suffers from.
pub const LEAST_ADDED_PERCENT: f64 = 0.5;
/// Share of elements outside the range that counts as saturation, in percent.
const SATURATED_PERCENT: f64 = 0.1;
/// Share of a range, in percent, that is so little that what is left of its integers makes [`LEAST_ADDED_PERCENT`] of
/// noise: of 8 bits.
const UNUSED_OF_8_BITS: f64 = 12.5;
/// The same of 16 bits.
const UNUSED_OF_16_BITS: f64 = 0.5;
/// Noise that is this much below another, in dB, has half its power.
const HALF_DB: f64 = 3.0;

/// Outputs of a partition that miss their goal, or the weakest one where it has none; the worst first. Layers are
/// looked at as far as they were measured.
pub fn weak_outputs(
    (partition, table): (&Partition, &Table),
    report: &PartitionReport,
    verdict: &Verdict,
    advisor: &Advisor,
) -> Vec<WeakOutput> {
    let goal_of = |output: &OutputReport| {
        let of = format!("{}/{}", report.name, output.name);
        verdict.goals.iter().find(|goal| goal.kind == GoalKind::OutputSqnr && goal.of == of)
    };
    // Where only layers were measured, an output's figure is that of its layer.
    let in_layers = |output: &OutputReport| report.layers.iter().find(|layer| layer.name == output.name);
    let db = |output: &OutputReport| output.sqnr_db.best().or_else(|| in_layers(output)?.sqnr_db.best());
    let mut measured: Vec<(f64, &OutputReport)> =
        report.outputs.iter().filter_map(|output| Some((db(output)?, output))).collect();
    measured.sort_by(|a, b| a.0.total_cmp(&b.0));
    match measured.iter().any(|(_, output)| goal_of(output).is_some_and(|goal| goal.reached.is_some())) {
        true => measured.retain(|(_, output)| goal_of(output).is_some_and(|goal| goal.state == VerdictState::Missed)),
        false => measured.truncate(1),
    }
    let of = |(_, output): (f64, &OutputReport)| {
        let own_step = in_layers(output);
        let mut causes: Vec<CauseReport> = own_encoding(partition, table, output, advisor).into_iter().collect();
        causes.extend(cut_off_on_the_way((partition, table), report, output, advisor));
        causes.extend(of_layers((partition, table), report, output, advisor));
        WeakOutput {
            output: output.name.clone(),
            wanted_db: goal_of(output).map(|goal| goal.wanted),
            layer_step_db: own_step.map(|layer| layer.sqnr_db).unwrap_or_default(),
            causes,
        }
    };
    measured.into_iter().map(of).collect()
}

/// The encoding of an output as the cause, where at least half of the output's noise is there before any arithmetic.
fn own_encoding(partition: &Partition, table: &Table, output: &OutputReport, advisor: &Advisor) -> Option<CauseReport> {
    let (own, db) = (output.encoding.as_ref()?, output.sqnr_db.best()?);
    if own.sqnr_db > db + HALF_DB {
        return None;
    }
    let mut made = of_encoding(Cause::Rounding, output, own.sqnr_db);
    let encoding = table.activations.get(&output.name)?;
    if own.cut_off_db <= own.sqnr_db + HALF_DB {
        (made.cause, made.found) = (Cause::Saturated, Some(outside(own, own.outside_percent, encoding)));
        made.help = own.worst_cut.and_then(|cut| more_samples(partition, output, cut.at, advisor));
    } else if encoding.integer == IntegerType::Uint8 {
        made.cause = Cause::EightBits;
        made.help = advisor.more_bits_of_activation(&partition.group, &output.name);
    } else if own.reached.is_some_and(|reached| encoding.range_use_percent(reached) < UNUSED_OF_16_BITS) {
        made.cause = Cause::Unused;
    }
    Some(made)
}

/// The encoding of an output as a cause, before it is known which.
fn of_encoding(cause: Cause, output: &OutputReport, sqnr_db: f64) -> CauseReport {
    CauseReport {
        cause,
        layer: output.name.clone(),
        op: String::new(),
        step: None,
        sqnr_db,
        added_percent: autoneural_bundle::round(100.0 * 10f64.powf(-sqnr_db / 20.0)),
        others: 0,
        found: None,
        help: None,
    }
}

/// How far numbers lie outside a range, in words.
fn outside(own: &OwnEncoding, percent: f64, encoding: &Encoding) -> String {
    let [least, most] = encoding.range();
    let reached = own.reached.map(|[low, high]| format!("; they reach {low:.3} to {high:.3}")).unwrap_or_default();
    format!("{percent} % of them lie outside {least:.3} to {most:.3}{reached}")
}

/// Samples that would widen the range of an output: it is that of the lowest and the highest number seen, if it is
/// calibrated.
fn more_samples(partition: &Partition, output: &OutputReport, at: StepAt, advisor: &Advisor) -> Option<String> {
    let is_calibrated = advisor.is_calibrated(&partition.group, &output.name);
    is_calibrated.then(|| format!("calibration samples like {at}, in which the range cuts off most"))
}

/// Other outputs whose numbers lie outside their range in a step and that share their encoding with what is on the way
/// to this one, such as state that comes back in the next step: the worst of them.
fn cut_off_on_the_way(
    (partition, table): (&Partition, &Table),
    report: &PartitionReport,
    output: &OutputReport,
    advisor: &Advisor,
) -> Option<CauseReport> {
    let names = on_the_way(&partition.graph, &output.name);
    let is_tied = |other: &str| {
        let tied = |name: &&&str| advisor.sources.is_tied((&partition.group, name), (&partition.group, other));
        names.iter().any(|name| tied(&name))
    };
    let mut found: Vec<(&OutputReport, &OwnEncoding, WorstCut)> = Vec::new();
    for other in report.outputs.iter().filter(|other| other.name != output.name) {
        let Some((own, cut)) = other.encoding.as_ref().and_then(|own| Some((own, own.worst_cut?))) else { continue };
        if 100.0 * 10f64.powf(-cut.sqnr_db / 20.0) >= LEAST_ADDED_PERCENT && is_tied(&other.name) {
            found.push((other, own, cut));
        }
    }
    let (worst, own, cut) = found.iter().min_by(|a, b| a.2.sqnr_db.total_cmp(&b.2.sqnr_db))?;
    let mut made = of_encoding(Cause::Saturated, worst, cut.sqnr_db);
    made.step = Some(cut.at);
    made.others = found.len() - 1;
    made.found = table.activations.get(&worst.name).map(|encoding| outside(own, cut.outside_percent, encoding));
    made.help = more_samples(partition, worst, cut.at, advisor);
    Some(made)
}

/// Layers on the way to an output that add noise, put together by cause.
fn of_layers(
    (partition, table): (&Partition, &Table),
    report: &PartitionReport,
    output: &OutputReport,
    advisor: &Advisor,
) -> Vec<CauseReport> {
    let graph = &partition.graph;
    let on_the_way = on_the_way(graph, &output.name);
    let mut made: Vec<CauseReport> = Vec::new();
    for node in graph.nodes().iter().filter(|node| !node.op.moves_data_only()) {
        for id in &node.outputs {
            let name = &graph.value(*id).name;
            let layer = report.layers.iter().find(|layer| layer.name == *name && on_the_way.contains(name.as_str()));
            let Some(layer) = layer else { continue };
            let (Some(db), Some(added)) = (layer.sqnr_db.best(), layer.added_percent.best()) else { continue };
            if added < LEAST_ADDED_PERCENT {
                continue;
            }
            let (cause, found, help) = cause((partition, table), layer, node, advisor);
            let own = CauseReport {
                cause,
                layer: name.clone(),
                op: layer.op.clone(),
                step: report.layer_step,
                sqnr_db: db,
                added_percent: added,
                others: 0,
                found,
                help,
            };
            match made.iter_mut().find(|known| known.cause == cause) {
                Some(known) => {
                    let others = known.others + 1;
                    if added > known.added_percent {
                        *known = own;
                    }
                    known.others = others;
                }
                None => made.push(own),
            }
        }
    }
    made.sort_by(|a, b| b.added_percent.total_cmp(&a.added_percent));
    made
}

/// Names of the values that an output is computed from, itself among them.
fn on_the_way<'a>(graph: &'a Graph, output: &str) -> BTreeSet<&'a str> {
    let mut needed: BTreeSet<_> =
        graph.outputs().iter().copied().filter(|id| graph.value(*id).name == output).collect();
    // Nodes stand in an order in which they can run.
    for node in graph.nodes().iter().rev() {
        if node.outputs.iter().any(|id| needed.contains(id)) {
            needed.extend(&node.inputs);
        }
    }
    needed.into_iter().map(|id| graph.value(id).name.as_str()).collect()
}

/// What the noise of a layer comes from: the first that fits it. What was found of it, and what may be changed.
fn cause(
    (partition, table): (&Partition, &Table),
    layer: &LayerReport,
    node: &Node,
    advisor: &Advisor,
) -> (Cause, Option<String>, Option<String>) {
    if let Some(percent) = layer.saturation_percent.filter(|percent| *percent >= SATURATED_PERCENT) {
        // The layers' step is that of a sample of verification.
        let help = advisor
            .is_calibrated(&partition.group, &layer.name)
            .then(|| "calibration samples like the one of this step, in which the range cuts them off".to_string());
        return (Cause::Saturated, Some(format!("{percent} % of them")), help);
    }
    let of = |name: &String| Some((name.clone(), table.activations.get(name)?.integer));
    let own = of(&layer.name);
    let unused = match own {
        Some((_, IntegerType::Uint8)) => UNUSED_OF_8_BITS,
        _ => UNUSED_OF_16_BITS,
    };
    if let Some(percent) = layer.range_use_percent.filter(|percent| *percent < unused) {
        return (Cause::Unused, Some(format!("they use {percent} % of it")), None);
    }
    if let Some(weight) = weight(&partition.graph, node)
        && table.params.get(&weight.name).is_some_and(|encoding| encoding.integer == IntegerType::Int4)
    {
        return (Cause::FewBits, None, advisor.more_bits_of_weight(&weight.name));
    }
    let inputs: Vec<(String, IntegerType)> =
        node.inputs.iter().filter_map(|&id| of(&partition.graph.value(id).name)).collect();
    if let Some((name, _)) = inputs.iter().chain(&own).find(|(_, integer)| *integer == IntegerType::Uint8) {
        return (Cause::EightBits, None, advisor.more_bits_of_activation(&partition.group, name));
    }
    let is_below = match layer.sqnr_db {
        Columns { simulated: Some(simulated), npu: Some(npu) } => npu < simulated - HALF_DB,
        _ => false,
    };
    match (is_below, node.op.signature().has_weights() && inputs.len() == 2) {
        (true, true) => (Cause::Product, None, None),
        (true, false) => (Cause::Npu, None, None),
        _ => (Cause::Rounding, None, None),
    }
}
