//! Tables of sets of samples: right classes, and outputs against float.

use super::change::Change;
use super::sections::engine_name;
use super::subject::Subject;
use super::table::{Cell, Table};
use autoneural_app::evaluate::{ArraysEngine, ArraysReport};
use autoneural_app::report::FEWEST;
use autoneural_core::engine::EngineKind;

/// How many samples, of how many the set has.
fn samples(report: &ArraysReport) -> String {
    match report.samples == report.in_set {
        true => report.samples.to_string(),
        false => format!("{} of {}", report.samples, report.in_set),
    }
}

/// A line per engine of every set with labels.
pub(crate) fn classes(subject: &Subject) -> Table {
    let mut titles = vec!["set", "samples", "classes of", "engine", "top-1", "top-5", "class of float"];
    titles.extend(subject.references().iter().map(|reference| reference.against));
    let mut table = Table::new(&titles);
    for report in &subject.report.array_evaluations {
        let Some(output) = &report.classes_of else { continue };
        for engine in &report.engines {
            let Some(found) = &engine.classes else { continue };
            let percent = |figure: f64| Cell::Number(format!("{figure:.2} %"));
            let mut row = vec![
                Cell::text(&report.set),
                Cell::Number(samples(report)),
                Cell::text(output),
                Cell::text(engine_name(engine.engine)),
                percent(found.top1_percent),
                percent(found.top5_percent),
                found.agreement_percent.map_or(Cell::Nothing, percent),
            ];
            for reference in subject.references() {
                let theirs = reference.facts.sets.get(&report.name_on(engine.engine));
                let points = subject.tolerances.accuracy_points;
                row.push(match theirs.and_then(|theirs| theirs.top1_percent) {
                    Some(theirs) => Cell::Change(Change::of(found.top1_percent, theirs, points, 2, " points")),
                    None => Cell::text("not asked there"),
                });
            }
            table.row(row);
        }
    }
    table
}

/// A line per output and engine of every set.
pub(crate) fn outputs(subject: &Subject) -> Table {
    let mut titles = vec![
        "set",
        "samples",
        "output",
        "engine",
        "SQNR",
        "5th percentile",
        "worst sample",
        "cosine",
        "largest difference",
        "worst sample is",
    ];
    titles.extend(subject.references().iter().map(|reference| reference.against));
    let mut table = Table::new(&titles);
    for report in &subject.report.array_evaluations {
        for engine in &report.engines {
            for output in &engine.outputs {
                let db = |figure: f64| Cell::Number(format!("{figure:.1} dB"));
                let number = |figure: Option<f64>, say: fn(f64) -> String| match figure {
                    Some(figure) => Cell::Number(say(figure)),
                    None => Cell::Missing,
                };
                let mut row = vec![
                    Cell::text(&report.set),
                    Cell::Number(samples(report)),
                    Cell::text(&output.output),
                    Cell::text(engine_name(engine.engine)),
                    db(output.sqnr_db),
                    if report.samples < FEWEST { Cell::Nothing } else { db(output.percentile5_db) },
                    db(output.worst_db),
                    number(output.cosine, |cosine| format!("{cosine:.6}")),
                    number(output.largest_difference, |largest| format!("{largest:.4e}")),
                    Cell::text(&output.worst),
                ];
                for reference in subject.references() {
                    let theirs = reference.facts.sets.get(&report.name_on(engine.engine));
                    row.push(match theirs.and_then(|theirs| theirs.outputs.get(&output.output)) {
                        Some(theirs) => {
                            let db = subject.tolerances.output_db;
                            Cell::Change(Change::of(output.sqnr_db, theirs.sqnr_db, db, 2, " dB"))
                        }
                        None => Cell::text("not run there"),
                    });
                }
                table.row(row);
            }
        }
    }
    table
}

/// The figures of a report's engine in a line: right classes, or the output that is worst.
fn line(report: &ArraysReport, engine: &ArraysEngine) -> Option<String> {
    let of = format!("{} samples of {}", samples(report), report.set);
    let name = engine_name(engine.engine);
    if let Some(found) = &engine.classes {
        let float = report.engines.iter().find(|other| other.engine == EngineKind::Float);
        let float = float.and_then(|float| float.classes.as_ref()).filter(|_| engine.engine != EngineKind::Float);
        let float = float.map_or(String::new(), |float| format!(", float {:.2} %", float.top1_percent));
        let same = found.agreement_percent.map_or(String::new(), |same| format!("; the class of float in {same:.2} %"));
        return Some(format!("top-1 {:.2} % of {of} ({name}{float}){same}", found.top1_percent));
    }
    let worst = engine.outputs.iter().min_by(|a, b| a.worst_db.total_cmp(&b.worst_db))?;
    Some(format!("{}: {:.1} dB over {of}, {:.1} dB in the worst ({name})", worst.output, worst.sqnr_db, worst.worst_db))
}

/// The set with labels and most samples, on the best engine, in a line; without such, the set with most samples.
pub(crate) fn sentence(subject: &Subject) -> Option<String> {
    let mut sets: Vec<&ArraysReport> = subject.report.array_evaluations.iter().collect();
    sets.sort_by_key(|report| std::cmp::Reverse((report.classes_of.is_some(), report.samples)));
    let on = |kind: EngineKind| {
        let having = |report: &&&ArraysReport| report.engines.iter().any(|engine| engine.engine == kind);
        let report = sets.iter().find(having)?;
        line(report, report.engines.iter().find(|engine| engine.engine == kind)?)
    };
    on(EngineKind::Npu).or_else(|| on(EngineKind::Simulated)).or_else(|| on(EngineKind::Float))
}
