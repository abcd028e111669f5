//! Bundles: what they are of, which stages have run, what a device holds.

use std::path::Path;

use autoneural::bundle::{Bundle, Manifest, Stage};
use autoneural::partition::Partition;
use autoneural::quantize::Table;
use autoneural::report::{Sizes, segment_reports};
use autoneural::shown::in_line;
use autoneural::text::bytes;
use autoneural::{Error, Result};
use serde_json::{Value, json};

use super::summary::{Summary, counted, quoted};

/// Most warnings in a summary.
const MOST_LISTED: usize = 5;

/// What a bundle holds, as JSON and as text.
pub fn bundle(path: &Path, all: bool) -> Result<(Value, String)> {
    let bundle = Bundle::look(path)?;
    let manifest = &bundle.manifest;
    let mut summary = Summary::new(&format!("bundle {}", in_line(&path.display().to_string())));
    let Manifest { model, target, tool, .. } = manifest;
    summary.line("model", &format!("{model} for {target}, made by {} {}", tool.name, tool.version));
    let schemes: Vec<String> =
        manifest.partitions.iter().map(|partition| format!("{} {}", partition.name, partition.weights)).collect();
    if !schemes.is_empty() {
        summary.line("partitions", &schemes.join(", "));
    }
    let stages: Vec<String> =
        manifest.stages.iter().map(|stage| format!("{} {:.1} s", stage.name, stage.seconds)).collect();
    summary.line("stages", &stages.join(", "));
    let missing: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).filter(|stage| !manifest.has(stage)).collect();
    if !missing.is_empty() {
        summary.line("not run yet", &missing.join(", "));
    }
    let size = manifest.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    summary.line("files", &format!("{}, {}", counted(manifest.files.len(), "file"), bytes(size)));
    let mut text = std::mem::take(&mut summary.0);
    let mut value = serde_json::to_value(manifest).map_err(|error| Error::internal("manifest", error))?;
    value["kind"] = json!("bundle");
    if manifest.has(Stage::Quantize.name()) {
        let partitions = bundle.partitions()?;
        let tables = bundle.tables(&partitions)?;
        let sizes = Sizes::new(&bundle, &partitions, &tables)?;
        value["segments"] = segments(&bundle, &partitions, &tables, &mut text)?;
        text.push_str(&sizes.table());
        value["sizes"] = json!(sizes);
    }
    bundle.refuse_replaced()?;
    summary.0 = text;
    let most = if all { usize::MAX } else { MOST_LISTED };
    manifest.warnings.iter().take(most).for_each(|warning| summary.0.push_str(&format!("{warning}\n")));
    if manifest.warnings.len() > most {
        summary.0.push_str(&format!("and {} more warnings (--all lists them)\n", manifest.warnings.len() - most));
    }
    let recipe =
        if matches!(missing.first(), Some(&"calibrate" | &"verify")) { " --calibration RECIPE.toml" } else { "" };
    let next = match missing.first() {
        Some(stage) => vec![format!("autoneural {stage} {}{recipe}", quoted(path))],
        None => vec![
            format!("autoneural report {}", quoted(path)),
            format!("autoneural run {} --image PICTURE --prompt QUESTION", quoted(path)),
        ],
    };
    summary.next(&next, if all { "" } else { "inputs and outputs with their encodings, and the files" });
    if all {
        ports(manifest, &mut summary.0);
        summary.0.push_str("files:\n");
        for file in &manifest.files {
            summary.0.push_str(&format!("  {:>12} {}\n", file.bytes, in_line(&file.path)));
        }
    }
    Ok((value, summary.0))
}

/// Inputs and outputs of all partitions, with their encodings.
fn ports(manifest: &Manifest, text: &mut String) {
    for partition in &manifest.partitions {
        text.push_str(&format!("{} ({})\n", in_line(&partition.name), in_line(&partition.weights)));
        for (direction, ports) in [("in", &partition.inputs), ("out", &partition.outputs)] {
            for port in ports {
                let encoding = match (port.scale, port.zero_point) {
                    (Some(scale), Some(zero_point)) => format!("  scale {scale:e} zero point {zero_point}"),
                    _ => String::new(),
                };
                let shape = format!("{:?}", port.shape);
                let (dtype, name) = (in_line(&port.dtype), in_line(&port.name));
                text.push_str(&format!("  {direction:<3} {dtype:<7} {shape:<20} {name}{encoding}\n"));
            }
        }
    }
}

/// The segments of partitions that are not one context binary each: what they hold and cost, one line each.
fn segments(bundle: &Bundle, partitions: &[Partition], tables: &[Table], text: &mut String) -> Result<Value> {
    let mut all = Vec::new();
    for (partition, table) in partitions.iter().zip(tables) {
        let found = segment_reports(bundle, partition, table, &bundle.segments(partition)?)?;
        found.iter().for_each(|segment| text.push_str(&format!("{}\n", in_line(&segment.line()))));
        all.extend(found);
    }
    Ok(json!(all))
}
