//! ONNX models, context models and their binaries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autoneural::back::onnx;
use autoneural::back::qnn::Runtime;
use autoneural::error::IoContext;
use autoneural::front::onnx::import;
use autoneural::shown::in_line;
use autoneural::text::bytes;
use autoneural::{Error, Result};
use serde_json::{Value, json};

use super::summary::Summary;

/// Most kinds of operators in a summary.
const MOST_LISTED: usize = 5;

/// What a model holds, as JSON and as text.
pub fn model(path: &Path, all: bool) -> Result<(Value, String)> {
    let model = onnx::decode(path)?;
    let counts = onnx::op_counts(&model);
    let is_context = counts.contains_key("EPContext");
    let kind = if is_context { "context" } else { "onnx" };
    let opset = model.opset_import.iter().find(|import| import.domain.is_empty()).map_or(0, |import| import.version);
    let mut summary = Summary::new(&format!("{kind} model {}", in_line(&path.display().to_string())));
    let maker = format!("{} {}", model.producer_name, model.producer_version);
    let maker = if maker.trim().is_empty() { "an unnamed program" } else { maker.trim() };
    summary.line("made by", &format!("{maker}, opset {opset}"));
    let mut value = json!({ "kind": kind, "opset": opset, "nodes": counts });
    let graph = model.graph.unwrap_or_default();
    let mut ports = String::new();
    for (title, infos) in [("inputs", &graph.input), ("outputs", &graph.output)] {
        ports.push_str(&format!("{title}:\n"));
        let mut list = Vec::new();
        for info in infos {
            let (name, dtype, shape) = onnx::summary(info);
            ports.push_str(&format!("  {dtype:<8} {:<20} {}\n", format!("{shape:?}"), in_line(&name)));
            list.push(json!({ "name": name, "dtype": dtype, "shape": shape }));
        }
        let names: Vec<&str> = list.iter().take(MOST_LISTED).filter_map(|port| port["name"].as_str()).collect();
        summary.line(title, &format!("{}: {}{}", list.len(), names.join(", "), more(list.len())));
        value[title] = json!(list);
    }
    let mut by_count: Vec<(&String, &usize)> = counts.iter().collect();
    by_count.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let largest: Vec<String> = by_count.iter().take(MOST_LISTED).map(|(op, count)| format!("{count} {op}")).collect();
    let total: usize = counts.values().sum();
    summary.line("nodes", &format!("{total}: {}{}", largest.join(", "), more(counts.len())));
    summary.line("initializers", &graph.initializer.len().to_string());
    value["initializers"] = json!(graph.initializer.len());
    if is_context {
        let binary = Runtime::binary_of(path)?;
        let size = std::fs::metadata(&binary).reading(&binary)?.len();
        let file = binary.display().to_string();
        summary.line("context binary", &format!("{file} ({})", bytes(size)));
        value["binary"] = json!({ "file": file, "bytes": size });
    }
    let mut further = String::new();
    // What is quantized already is no source of a compilation.
    if !is_context && !counts.contains_key("QuantizeLinear") {
        further = importing(path, &mut summary, &mut value);
    }
    let mut text = summary.0;
    if all {
        text.push_str(&further);
        text.push_str(&ports);
        text.push_str("nodes:\n");
        counts.iter().for_each(|(op, count)| text.push_str(&format!("  {count:>6} {}\n", in_line(op))));
    } else {
        text.push_str("(--all lists inputs, outputs and operators)\n");
    }
    Ok((value, text))
}

/// What `compile` makes of a model: operators that were recognised, and such as models spell others out in and that
/// were left; or why it does not take it. Gives the lines of details.
fn importing(path: &Path, summary: &mut Summary, value: &mut Value) -> String {
    let listed = |counts: &BTreeMap<&str, usize>| {
        let all: Vec<String> = counts.iter().map(|(op, count)| format!("{count} {op}")).collect();
        if all.is_empty() { "none".to_string() } else { all.join(", ") }
    };
    match import(path, &[]) {
        Ok(made) => {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            made.recognized.nodes().iter().for_each(|node| *counts.entry(node.op.name()).or_default() += 1);
            let left: BTreeMap<&str, usize> =
                counts.iter().filter(|(op, _)| PIECES.contains(op)).map(|(op, count)| (*op, *count)).collect();
            summary.line("recognized", &listed(&made.found));
            if !left.is_empty() {
                summary.line("left spelled out", &listed(&left));
            }
            made.notes.iter().for_each(|note| summary.line("note", note));
            value["import"] =
                json!({ "operators": counts, "recognized": made.found, "left": left, "notes": made.notes });
            format!("compiled as:\n  {}\n", listed(&counts))
        }
        Err(error) => {
            summary.line("not compiled", &error.message);
            value["import"] = json!({ "error": error.message, "help": error.help });
            error.help.map_or_else(String::new, |help| format!("help: {}\n", in_line(&help)))
        }
    }
}

/// Operators in which models spell out others.
const PIECES: [&str; 6] = ["Erf", "Exp", "Pow", "Reciprocal", "Sqrt", "Tanh"];

fn more(count: usize) -> &'static str {
    if count > MOST_LISTED { ", …" } else { "" }
}

/// The context model that a binary belongs to: the one beside it that refers to it.
pub fn context_of(binary: &Path) -> Result<PathBuf> {
    let folder = binary.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(folder).reading(folder)? {
        let path = entry.reading(folder)?.path();
        if path.extension().is_some_and(|extension| extension == "onnx")
            && Runtime::binary_of(&path).is_ok_and(|found| found.file_name() == binary.file_name())
        {
            return Ok(path);
        }
    }
    Err(Error::input(binary.display(), "no context model beside it refers to this file"))
}
