//! Where the figures are from: samples, versions, stages, files.

use std::collections::BTreeSet;

use super::subject::Subject;
use super::table::{Cell, Table};
use autoneural_bundle::{StageRecord, short};

/// The samples of calibration and verification.
pub fn samples(subject: &Subject) -> Table {
    let recipe = &subject.recipe;
    let mut table = Table::new(&["use", "images", "SHA-256", "prompt"]);
    let (calibration, verification) = (&subject.images, &subject.report.samples.images);
    let uses =
        [("calibration", &recipe.calibration, calibration), ("verification", &recipe.verification, verification)];
    for (name, samples, records) in uses {
        let hash = |path: &String| {
            let record = records.iter().find(|record| record.path == *path);
            record.map_or("not recorded".into(), |record| short(&record.sha256))
        };
        for sample in samples {
            let images: Vec<String> = sample.images.iter().map(|image| image.display().to_string()).collect();
            let hashes: Vec<String> = images.iter().map(hash).collect();
            let raw = if sample.is_raw() { "raw text: " } else { "" };
            let cells =
                [name.to_string(), images.join(", "), hashes.join(", "), format!("{raw}{}", prompt(&sample.shown()))];
            table.row(cells.into_iter().map(Cell::Text).collect());
        }
    }
    table
}

/// A prompt in one line.
fn prompt(text: &str) -> String {
    text.replace('\n', " ↵ ")
}

/// Versions, names and what was made how long.
pub fn facts(subject: &Subject) -> Table {
    let mut titles = vec!["", "this bundle"];
    titles.extend(subject.other.iter().map(|_| "other bundle"));
    let mut table = Table::new(&titles);
    let (ours, theirs) = (&subject.facts, subject.other.as_ref().map(|other| &other.facts));
    let mut row = |name: &str, of: &dyn Fn(&crate::gate::Facts) -> String| {
        let mut cells = vec![Cell::Text(name.into()), Cell::Text(of(ours))];
        cells.extend(theirs.map(|theirs| Cell::Text(of(theirs))));
        table.row(cells);
    };
    row("model", &|facts| facts.model.clone());
    row("target", &|facts| facts.target.clone());
    row("recipe", &|facts| facts.recipe.clone());
    row("verification", &|facts| format!("{} samples, {} steps behind each", facts.samples, facts.steps));
    let names: BTreeSet<&String> = ours.versions.keys().chain(theirs.iter().flat_map(|t| t.versions.keys())).collect();
    for name in names {
        row(name, &|facts| facts.versions.get(name).map_or("not recorded".into(), String::clone));
    }
    for (name, of) in [("stages", times as fn(&[StageRecord]) -> String), ("command line", commands)] {
        let mut cells = vec![Cell::Text(name.into()), Cell::Text(of(&subject.manifest.stages))];
        cells.extend(subject.other.iter().map(|other| Cell::Text(of(&other.report.stages))));
        table.row(cells);
    }
    table
}

fn times(stages: &[StageRecord]) -> String {
    let stages: Vec<String> = stages.iter().map(|stage| format!("{} {:.1} s", stage.name, stage.seconds)).collect();
    stages.join(", ")
}

/// The command that made all stages, or each with those that it made.
fn commands(stages: &[StageRecord]) -> String {
    let command = |stage: &StageRecord| stage.command.clone().unwrap_or("not recorded in the bundle".into());
    let mut made: Vec<(String, Vec<&str>)> = Vec::new();
    for stage in stages {
        match made.last_mut() {
            Some((last, names)) if *last == command(stage) => names.push(&stage.name),
            _ => made.push((command(stage), vec![&stage.name])),
        }
    }
    let lines: Vec<String> = match made.as_slice() {
        [(only, _)] => vec![only.clone()],
        several => several.iter().map(|(command, names)| format!("{}: {command}", names.join(", "))).collect(),
    };
    lines.join("; ")
}

/// Every file of the bundle.
pub fn files(subject: &Subject) -> Table {
    let mut table = Table::new(&["file", "bytes", "SHA-256"]);
    for file in &subject.manifest.files {
        let (path, hash) = (file.path.clone(), file.sha256.clone());
        table.row(vec![Cell::Text(path), Cell::Number(file.bytes.to_string()), Cell::Text(hash)]);
    }
    table
}
