//! Tables of figures: goals, outputs, sequences, evaluations, and what the gate found.

use super::change::Change;
use super::subject::{Reference, Subject};
use super::table::{Cell, Table};
use super::weak;
use crate::gate::evaluation_name;
use autoneural_app::report::{Columns, GoalKind, GoalReport, OutputReport, PartitionReport, VerdictState};
use autoneural_core::engine::EngineKind;

/// A line per goal in one of these states.
pub(crate) fn goals(subject: &Subject, states: &[VerdictState]) -> Table {
    let mut table = Table::new(&["", "where", "what", "wanted", "reached"]);
    for &state in states {
        for goal in subject.report.verdict.goals_in(state) {
            let word = match state {
                VerdictState::Missed => Cell::Fault("missed".into()),
                VerdictState::Met => Cell::text("met"),
                _ => Cell::text("not measured"),
            };
            let place = match subject.cause_of_goal(goal) {
                Some(to) => Cell::Link(goal.of.clone(), to),
                None => Cell::Text(goal.of.clone()),
            };
            let (wanted, reached) = (Cell::Number(goal.wanted_text()), Cell::Number(goal.reached_text()));
            let reached = reached.bad_if(state == VerdictState::Missed);
            table.row(vec![word, place, Cell::text(goal.kind.words()), wanted, reached]);
        }
    }
    table
}

/// The worst output of a partition: on the NPU where that was measured, else simulated.
pub(crate) fn worst(partition: &PartitionReport) -> Option<&OutputReport> {
    let measured = partition.outputs.iter().filter_map(|output| Some((output.sqnr_db.best()?, output)));
    measured.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, output)| output)
}

/// The main output of every partition, which is what it is for, and its worst.
pub(crate) fn partitions(subject: &Subject) -> Table {
    let mut table = Table::new(&titles(subject, "which"));
    for partition in &subject.report.partitions {
        let Some(main) = partition.outputs.first() else { continue };
        let worst = worst(partition).unwrap_or(main);
        match worst.name == main.name {
            true if partition.outputs.len() == 1 => table.row(row(subject, partition, main, "the only one")),
            true => table.row(row(subject, partition, main, "main, and worst")),
            false => {
                table.row(row(subject, partition, main, "main"));
                table.row(row(subject, partition, worst, "worst"));
            }
        }
    }
    table
}

/// A line per output of every partition.
pub(crate) fn outputs(subject: &Subject) -> Table {
    let mut table = Table::new(&titles(subject, "NPU to simulation"));
    for partition in &subject.report.partitions {
        for output in &partition.outputs {
            let mut row = row(subject, partition, output, "");
            row[2] = Cell::figure(output.npu_to_simulated_db, 1, " dB");
            table.row(row);
        }
    }
    table
}

/// A line per output of every partition: where it is at its lowest.
pub(crate) fn lowest_of_outputs(subject: &Subject) -> Table {
    let mut table = Table::new(&["partition", "output", "worst sample", "5th percentile", "lowest step"]);
    for partition in &subject.report.partitions {
        for output in &partition.outputs {
            let mut row = vec![Cell::text(&partition.name), Cell::text(&output.name)];
            row.extend(by_sample(output));
            row.push(lowest(output));
            table.row(row);
        }
    }
    table
}

/// Two cells: the worst sample, and what all but one in twenty reach, on the NPU where that was measured.
fn by_sample(output: &OutputReport) -> [Cell; 2] {
    let Some(found) = &output.by_sample else { return [Cell::text("not recorded"), Cell::Nothing] };
    let worst = found.worst_db.best().map_or("not measured".into(), |db| format!("{db:.1} dB"));
    let worst = match found.samples {
        1 => format!("{worst}, the only one"),
        samples => format!("{worst} in verification[{}] of {samples}", found.worst),
    };
    let fifth = found.percentile5_db.and_then(|columns| columns.best());
    [Cell::Text(worst), fifth.map_or(Cell::Nothing, |db| Cell::Number(format!("{db:.1} dB")))]
}

/// The step in which an output is at its lowest.
fn lowest(output: &OutputReport) -> Cell {
    let Some(lowest) = &output.lowest else { return Cell::text("not recorded") };
    let db = lowest.sqnr_db.best().map_or("not measured".into(), |db| format!("{db:.1} dB"));
    Cell::Text(format!("{db} in {}", lowest.at))
}

fn titles(subject: &Subject, third: &'static str) -> Vec<&'static str> {
    let mut titles = vec!["partition", "output", third, "SQNR NPU", "SQNR simulated", "RMS error NPU", "goal"];
    titles.extend(subject.references().iter().flat_map(|reference| [reference.title, reference.against]));
    titles.extend(weak::any(subject).then_some("cause"));
    titles
}

fn row(subject: &Subject, partition: &PartitionReport, output: &OutputReport, which: &str) -> Vec<Cell> {
    let sqnr = output.sqnr_db;
    let goal = goal_of(subject, partition, output);
    let is_missed = goal.is_some_and(|goal| goal.state == VerdictState::Missed);
    let mut cells = vec![
        Cell::text(&partition.name),
        Cell::text(&output.name),
        Cell::text(which),
        Cell::figure(sqnr.npu, 1, " dB").bad_if(is_missed),
        Cell::figure(sqnr.simulated, 1, " dB").bad_if(is_missed && sqnr.npu.is_none()),
        Cell::figure(output.rms_error_percent.npu, 2, " %"),
        goal.map_or(Cell::text("none"), |goal| Cell::Number(goal.wanted_text())),
    ];
    for reference in subject.references() {
        let known = reference.facts.partitions.get(&partition.name);
        let theirs = known.and_then(|known| known.outputs.get(&output.name)).map(|known| known.sqnr_db);
        cells.extend(against(&reference, sqnr, theirs.unwrap_or_default(), subject.tolerances.output_db));
    }
    cells.extend(weak::any(subject).then(|| weak::cause(subject, &partition.name, &output.name)));
    cells
}

fn goal_of<'a>(subject: &'a Subject, partition: &PartitionReport, output: &OutputReport) -> Option<&'a GoalReport> {
    let of = format!("{}/{}", partition.name, output.name);
    subject.report.verdict.goals.iter().find(|goal| goal.kind == GoalKind::OutputSqnr && goal.of == of)
}

/// Two cells: the figure of the reference in the column that both have, and this bundle's against it.
fn against(reference: &Reference, ours: Columns, theirs: Columns, tolerance: f64) -> [Cell; 2] {
    let both = |of: fn(Columns) -> Option<f64>| of(ours).zip(of(theirs));
    let is_simulated = ours.npu.is_none() && theirs.npu.is_none();
    let (found, unit) = match is_simulated {
        true => (both(|columns| columns.simulated), " dB simulated"),
        false => (both(|columns| columns.npu), " dB"),
    };
    let theirs = if is_simulated { theirs.simulated } else { theirs.npu };
    let theirs = match theirs {
        None if reference.facts.partitions.is_empty() => Cell::Nothing,
        theirs => Cell::figure(theirs, 1, unit),
    };
    let change = |(ours, theirs)| Cell::Change(Change::of(ours, theirs, tolerance, 2, " dB"));
    [theirs, found.map_or(Cell::Nothing, change)]
}

/// Whole sequences, each engine on its own state.
pub(crate) fn sequences(subject: &Subject) -> Table {
    let (chain, tolerances) = (&subject.report.chain, &subject.tolerances);
    let mut titles = vec!["engine", "steps", "SQNR of logits", "same token as float"];
    for reference in subject.references() {
        titles.extend([reference.title, reference.against, "tokens"]);
    }
    let mut table = Table::new(&titles);
    for (name, of) in [("NPU", (|c: Columns| c.npu) as fn(Columns) -> Option<f64>), ("simulated", |c| c.simulated)] {
        let (db, same) = (of(chain.logits_sqnr_db), of(chain.top1_agreement_percent));
        let mut row = vec![
            Cell::text(name),
            Cell::Number(chain.steps.to_string()),
            Cell::figure(db, 1, " dB"),
            Cell::figure(same, 1, " %"),
        ];
        for reference in subject.references() {
            let theirs = reference.facts.chain;
            let (their_db, their_same) = (of(theirs.logits_db), of(theirs.same_token_percent));
            row.push(Cell::figure(their_db, 1, " dB"));
            let change = |digits, unit, tolerance, both: Option<(f64, f64)>| match both {
                Some((ours, theirs)) => Cell::Change(Change::of(ours, theirs, tolerance, digits, unit)),
                None => Cell::Nothing,
            };
            row.push(change(2, " dB", tolerances.chain_db, db.zip(their_db)));
            row.push(change(1, " points", tolerances.token_points, same.zip(their_same)));
        }
        table.row(row);
    }
    table
}

/// A line per engine of every evaluation.
pub(crate) fn evaluations(subject: &Subject) -> Table {
    let mut titles = vec![
        "set",
        "questions",
        "engine",
        "exact answers",
        "perplexity",
        "tokens as float",
        "SQNR features",
        "SQNR logits",
    ];
    titles.extend(subject.references().iter().flat_map(|reference| [reference.against, "perplexity against it"]));
    let mut table = Table::new(&titles);
    for evaluation in &subject.report.evaluations {
        for engine in &evaluation.engines {
            let (total, is_float) = (&engine.total, engine.engine == EngineKind::Float);
            let against = |figure: Option<f64>, unit: &str| match is_float {
                true => Cell::Nothing,
                false => Cell::figure(figure, 1, unit),
            };
            let blank = if evaluation.blank { " (every picture blanked)" } else { "" };
            let questions = match evaluation.in_set {
                Some(all) if all != evaluation.questions => format!("{} of {all}", evaluation.questions),
                _ => evaluation.questions.to_string(),
            };
            let mut row = vec![
                Cell::Text(format!("{}{blank}", evaluation.set)),
                Cell::Number(questions),
                Cell::text(engine_name(engine.engine)),
                Cell::Number(format!("{:.1} %", total.exact_match_percent)),
                Cell::Number(format!("{:.4}", total.perplexity)),
                against(total.token_agreement_percent, " %"),
                against(total.features_sqnr_db, " dB"),
                against(total.logits_sqnr_db, " dB"),
            ];
            for reference in subject.references() {
                let name = evaluation_name(evaluation, engine.engine);
                row.extend(match reference.facts.evaluations.get(&name) {
                    Some(theirs) => {
                        let (points, percent) =
                            (subject.tolerances.accuracy_points, subject.tolerances.perplexity_percent);
                        let rise = theirs.perplexity * percent / 100.0;
                        let exact = theirs.accuracy_percent.map_or(Cell::Nothing, |exact| {
                            Cell::Change(Change::of(total.exact_match_percent, exact, points, 1, " points"))
                        });
                        [exact, Cell::Change(Change::of_less(total.perplexity, theirs.perplexity, rise, 4, ""))]
                    }
                    None => [Cell::text("not asked there"), Cell::Nothing],
                });
            }
            table.row(row);
        }
    }
    table
}

/// An engine as the page calls it.
pub(crate) fn engine_name(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Npu => "NPU",
        other => other.name(),
    }
}
