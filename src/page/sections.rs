//! Tables of figures: partitions, outputs, sequences, evaluations, and what the gate found.

use super::table::{Cell, Table};
use super::{Subject, output_of};
use crate::gate::{Check, Outcome, plain};
use crate::report::{Columns, OutputReport, PartitionReport};
use crate::runner::EngineKind;

/// Checks of the gate that are shown at most.
const MOST_CHECKS: usize = 50;

/// A line per partition: its main output against goal, baseline and the other bundle, and its worst output.
pub fn partitions(subject: &Subject) -> Table {
    let mut titles =
        vec!["partition", "bits", "nodes on NPU", "output", "SQNR simulated", "SQNR NPU", "RMS error NPU", "goal"];
    titles.extend(subject.gate.iter().map(|_| "baseline"));
    titles.extend(subject.other.iter().flat_map(|_| ["other bundle", "other - this"]));
    titles.push("worst output on the NPU");
    let mut table = Table::new(&titles);
    for partition in &subject.report.partitions {
        let Some(output) = partition.outputs.first() else { continue };
        let nodes = partition.npu_nodes.map_or(Cell::Missing, |nodes| {
            Cell::Number(format!("{nodes} of {}", partition.nodes)).bad_if(nodes < partition.nodes)
        });
        let mut row = vec![Cell::Text(partition.name.clone()), Cell::Text(partition.weights.clone()), nodes];
        row.push(Cell::Text(output.name.clone()));
        row.extend(figures(subject, partition, output));
        row.push(worst(partition, subject.least_db));
        table.row(row);
    }
    table
}

fn figures(subject: &Subject, partition: &PartitionReport, output: &OutputReport) -> Vec<Cell> {
    let (sqnr, least) = (output.sqnr_db, subject.least_db);
    let mut cells = vec![
        Cell::figure(sqnr.simulated, 1, " dB"),
        Cell::figure(sqnr.npu, 1, " dB").bad_if(sqnr.npu.is_some_and(|db| db < least)),
        Cell::figure(output.rms_error_percent.npu, 2, " %"),
        Cell::Number(format!("{least} dB")),
    ];
    if let Some(gate) = &subject.gate {
        let known = gate.baseline.partitions.get(&partition.name);
        let before = known.and_then(|known| known.outputs.get(&output.name)).and_then(|known| known.sqnr_db.npu);
        cells.push(Cell::figure(before, 1, " dB"));
    }
    if let Some(other) = &subject.other {
        let theirs = output_of(&other.report, &partition.name, &output.name).unwrap_or_default();
        cells.push(Cell::figure(theirs.npu, 1, " dB"));
        cells.push(Cell::difference(between(sqnr, theirs), 2, " dB"));
    }
    cells
}

/// What the second has more on the NPU.
fn between(ours: Columns, theirs: Columns) -> Option<f64> {
    theirs.npu.zip(ours.npu).map(|(theirs, ours)| theirs - ours)
}

fn worst(partition: &PartitionReport, least: f64) -> Cell {
    let measured = partition.outputs.iter().filter_map(|output| output.sqnr_db.npu.map(|db| (db, &output.name)));
    match measured.min_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((db, name)) => Cell::Number(format!("{db:.1} dB ({name})")).bad_if(db < least),
        None => Cell::Missing,
    }
}

/// A line per output of every partition.
pub fn outputs(subject: &Subject) -> Table {
    let mut titles =
        vec!["partition", "output", "SQNR simulated", "SQNR NPU", "RMS error NPU", "goal", "NPU to simulation"];
    let at = titles.len() - 1;
    let mut more: Vec<&str> = subject.gate.iter().map(|_| "baseline").collect();
    more.extend(subject.other.iter().flat_map(|_| ["other bundle", "other - this"]));
    titles.splice(at..at, more);
    let mut table = Table::new(&titles);
    for partition in &subject.report.partitions {
        for output in &partition.outputs {
            let mut row = vec![Cell::Text(partition.name.clone()), Cell::Text(output.name.clone())];
            row.extend(figures(subject, partition, output));
            row.push(Cell::figure(output.npu_to_simulated_db, 1, " dB"));
            table.row(row);
        }
    }
    table
}

/// Whole sequences, each engine on its own state.
pub fn sequences(subject: &Subject) -> Table {
    let chain = &subject.report.chain;
    let mut table = Table::new(&["engine", "steps", "SQNR of logits", "same token as float"]);
    for (name, of) in [("simulated", (|c: Columns| c.simulated) as fn(Columns) -> Option<f64>), ("NPU", |c| c.npu)] {
        table.row(vec![
            Cell::Text(name.into()),
            Cell::Number(chain.steps.to_string()),
            Cell::figure(of(chain.logits_sqnr_db), 1, " dB"),
            Cell::figure(of(chain.top1_agreement_percent), 1, " %"),
        ]);
    }
    table
}

/// A line per engine of every evaluation.
pub fn evaluations(subject: &Subject) -> Table {
    let mut table = Table::new(&[
        "set",
        "questions",
        "engine",
        "exact answers",
        "perplexity",
        "tokens as float",
        "SQNR features",
        "SQNR logits",
    ]);
    for evaluation in &subject.report.evaluations {
        for engine in &evaluation.engines {
            let (total, is_float) = (&engine.total, engine.engine == EngineKind::Float);
            let against = |figure: Option<f64>, unit: &str| match is_float {
                true => Cell::Text(String::new()),
                false => Cell::figure(figure, 1, unit),
            };
            let blank = if evaluation.blank { " (every picture blanked)" } else { "" };
            table.row(vec![
                Cell::Text(format!("{}{blank}", evaluation.set)),
                Cell::Number(evaluation.questions.to_string()),
                Cell::Text(engine.engine.name().into()),
                Cell::Number(format!("{:.1} %", total.exact_match_percent)),
                Cell::Number(format!("{:.4}", total.perplexity)),
                against(total.token_agreement_percent, " %"),
                against(total.features_sqnr_db, " dB"),
                against(total.logits_sqnr_db, " dB"),
            ]);
        }
    }
    table
}

/// What the gate found; none without a baseline, or where all is well.
pub fn findings(subject: &Subject) -> Option<(Table, usize)> {
    let judgement = &subject.gate.as_ref()?.judgement;
    let is_told = |check: &&Check| matches!(check.outcome, Outcome::Failed | Outcome::Unjudged | Outcome::Warning);
    let checks: Vec<&Check> = judgement.checks.iter().filter(is_told).collect();
    let mut table = Table::new(&["where", "check", "what", ""]);
    for check in checks.iter().take(MOST_CHECKS) {
        let word = match check.outcome {
            Outcome::Failed => Cell::Bad("worse".into()),
            Outcome::Unjudged => Cell::Text("not judged".into()),
            _ => Cell::Text("warning".into()),
        };
        let place = plain(&check.place.to_string());
        table.row(vec![Cell::Text(place), Cell::Text(check.rule.id().into()), Cell::Text(plain(&check.message)), word]);
    }
    (!table.is_empty()).then_some((table, checks.len().saturating_sub(MOST_CHECKS)))
}
