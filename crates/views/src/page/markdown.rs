//! The page in Markdown, for the summary of a job or a pull request.

use super::layers::Layer;
use super::subject::Subject;
use super::table::{Cell, Table};
use super::{calibration, changes, findings, glance, provenance, sections, sets, sizes, speed, texts, weak};
use crate::gate::output::cell;
use autoneural_app::report::VerdictState;

/// Layers that are named.
const WORST: usize = 10;

/// The whole file.
pub fn markdown(subject: &Subject) -> String {
    let title = format!("{} for {}", subject.report.model, subject.report.target);
    let mut text = format!("# {}\n", cell(&title));
    for (state, sentence) in std::iter::once(subject.verdict()).chain(subject.gate_verdict()) {
        text.push_str(&format!("\n{} {}\n", state.mark(), cell(&sentence)));
    }
    for line in subject.report.verdict.todo(&subject.name) {
        text.push_str(&format!("\nNext: {}\n", cell(&line)));
    }
    text.push('\n');
    for answer in glance::answers(subject) {
        text.push_str(&format!("- {}: {}\n", cell(&answer.title), cell(&answer.text)));
    }
    for warning in &subject.report.warnings {
        text.push_str(&format!("- warning: {}\n", cell(&warning.line())));
    }
    if !subject.report.left_out.is_empty() {
        text.push_str(&format!("\nNot measured: {}.\n", cell(&subject.report.left_out.join(", "))));
    }
    text.push_str(&found(subject));
    let mut add = |title: &str, table: Option<Table>| {
        if let Some(table) = table.filter(|table| !table.is_empty()) {
            text.push_str(&format!("\n## {title}\n\n{}", table.markdown()));
        }
    };
    let states = [VerdictState::Missed, VerdictState::NotMeasured, VerdictState::Met];
    add("Goals", Some(sections::goals(subject, &states)));
    add("Not judged, and warnings", Some(findings::others(subject).0));
    add("Main and worst output of each partition", Some(sections::partitions(subject)));
    for reference in subject.references() {
        let titled = |title: &str| format!("{title} against the {}", reference.title);
        add(&titled("What changed"), Some(changes::figures(subject, &reference)));
        add(&titled("Outputs and layers"), Some(changes::places(subject, &reference).0));
        add(&titled("Made from and with"), Some(changes::made_from(subject, &reference)));
        add(&titled("Encodings"), Some(changes::encodings(subject, &reference)));
    }
    add("Outputs", Some(sections::outputs(subject)));
    add("Where each output is lowest", Some(sections::lowest_of_outputs(subject)));
    add("Whole sequences", Some(sections::sequences(subject)));
    add("Questions with known answers", Some(sections::evaluations(subject)));
    add("Texts", Some(texts::texts(subject)));
    add("Sets of samples: classes", Some(sets::classes(subject)));
    add("Sets of samples: outputs against float", Some(sets::outputs(subject)));
    add("Where it is weak", Some(weak::table(subject)));
    add("Worst layers", worst(subject));
    add("Work of one run (speed was not measured)", Some(speed::table(subject)));
    add("Size", sizes::device(subject));
    add("Size of partitions", sizes::partitions(subject));
    add("Were the calibration samples enough", Some(calibration::coverage(subject)));
    add("When ranges settled", Some(calibration::settled(subject)));
    add("Provenance", Some(provenance::facts(subject)));
    text
}

/// What got worse first, with what follows from it, and the exceptions.
fn found(subject: &Subject) -> String {
    let mut text = String::new();
    let (causes, more) = findings::causes(subject);
    for (title, lines) in [
        (
            "What got worse first",
            causes.iter().map(of_cause).chain((more > 0).then(|| format!("{more} more"))).collect(),
        ),
        ("Exceptions", findings::exceptions(subject)),
    ] {
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(|line| format!("- {}", cell(line))).collect();
            text.push_str(&format!("\n## {title}\n\n{}\n", lines.join("\n")));
        }
    }
    text
}

fn of_cause(cause: &findings::Finding) -> String {
    let follows = cause.follows.as_ref().map(|line| format!("; {line}")).unwrap_or_default();
    format!("{}{follows}", cause.text)
}

/// The worst layers of all partitions, without those that only move what others made; `None` if layers were not
/// measured.
fn worst(subject: &Subject) -> Option<Table> {
    let measured = subject.parts.iter().filter(|part| part.measured);
    let mut found: Vec<(f64, &str, &Layer)> = measured
        .flat_map(|part| part.layers.iter().map(|layer| (part.name.as_str(), layer)))
        .filter(|(_, layer)| !layer.moves)
        .filter_map(|(part, layer)| Some((layer.db()?, part, layer)))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut table =
        Table::new(&["partition", "layer", "operator", "bits", "SQNR simulated", "SQNR NPU", "added noise"]);
    for (_, partition, layer) in found.into_iter().take(WORST) {
        let words = [partition, &layer.name, &layer.op, &layer.bits].map(Cell::text);
        let figures = [layer.sim, layer.npu].map(|figure| Cell::figure(figure, 1, " dB"));
        let added = Cell::figure(layer.added, 2, " %");
        table.row(words.into_iter().chain(figures).chain([added]).collect());
    }
    (!table.is_empty()).then_some(table)
}
