//! Checkpoints: which model's it is, whether all of it is there, and what `export` would say of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use autoneural::drivers::vlm::check_words;
use autoneural::error::IoContext;
use autoneural::front::{self, Beside, Checkpoint, ComponentLayout, Definition, Layout, Misshapen, WeightsPlace};
use autoneural::host::{TOKENIZER, find_template};
use autoneural::shown::in_line;
use autoneural::text::bytes;
use autoneural::warning::Warning;
use autoneural::{Error, Result};
use serde_json::{Value, json};

use super::summary::{Summary, counted, quoted};
use crate::cli::session::Session;

/// Most names and warnings of each kind in a summary.
const MOST_LISTED: usize = 5;

/// Prints what a checkpoint is, and fails where only `export` would tell what is wrong with it.
pub fn checkpoint(places: &[WeightsPlace], definition_path: Option<&Path>, all: bool, session: &Session) -> Result<()> {
    let checkpoint = Checkpoint::open_all(places)?;
    let found = match definition_path {
        Some(path) => {
            let definition = Definition::read(path)?;
            Some((Layout::of(&checkpoint, &definition, path)?, definition))
        }
        None => Layout::recognize(&checkpoint)?,
    };
    let mut summary = Summary::new(&format!("checkpoint {}", in_line(&checkpoint.path().display().to_string())));
    let mut value = weights(&checkpoint, &mut summary)?;
    let Some((layout, definition)) = found else {
        summary.line("model", "none that is known; --definition names the file of another one");
        words(&checkpoint.folders(), &mut summary, &mut value);
        value["layout"] = Value::Null;
        summary.next(&[], if all { "" } else { "the tensors" });
        return session.print(&value, &(summary.0 + &listed(&checkpoint, all)));
    };
    // What names and shapes do not tell, as export would.
    let mut warnings = front::warnings(&checkpoint, &definition, &layout);
    let beside = checkpoint.beside(&definition);
    let folders = beside.as_ref().map_or_else(|_| checkpoint.folders(), Beside::words_first);
    let tried = layout.is_whole().then(|| {
        front::build(&definition, &checkpoint, session.progress())?;
        check_words(&beside?, &definition)
    });
    let refusal = match tried {
        Some(Ok(more)) => {
            warnings.extend(more);
            None
        }
        Some(Err(error)) => Some(error),
        None => None,
    };
    model(&layout, refusal.as_ref(), &mut summary);
    words(&folders, &mut summary, &mut value);
    if let Some(error) = &refusal {
        summary.0.push_str(&format!("export refuses it: {error}\n"));
    }
    names(&layout, all, &mut summary);
    told(&warnings, all, &mut summary);
    let next = match layout.is_whole() {
        true if refusal.is_none() => vec![format!(
            "autoneural compile {} {} --calibration RECIPE.toml --target sa8295p --out BUNDLE",
            // One that was recognized is built in, and known by its name.
            definition_path.map_or(layout.model.clone(), quoted),
            places.iter().map(|place| format!("--weights {}", quoted(&place.argument()))).collect::<Vec<_>>().join(" ")
        )],
        true => vec![],
        false => vec!["give the tensors that are missing, or another definition with --definition GRAPH.toml".into()],
    };
    summary.next(&next, if all { "" } else { "the tensors" });
    value["layout"] = json!(layout);
    value["warnings"] = json!(warnings);
    if let Some(error) = &refusal {
        value["refusal"] = json!({ "place": error.place, "message": error.message, "help": error.help });
    }
    session.print(&value, &(summary.0 + &listed(&checkpoint, all)))?;
    refusal.map_or(Ok(()), Err)
}

/// The line about the tensors; and all of them, as JSON.
fn weights(checkpoint: &Checkpoint, summary: &mut Summary) -> Result<Value> {
    let (mut parameters, mut size, mut tensors) = (0u64, 0u64, Vec::new());
    for (name, info) in checkpoint.tensors() {
        parameters = parameters.saturating_add(info.shape.iter().map(|&size| size as u64).product::<u64>());
        tensors.push(
            json!({ "name": name, "dtype": info.dtype, "shape": info.shape, "file": info.file.display().to_string() }),
        );
    }
    let files: BTreeSet<&Path> = checkpoint.files().map(|(_, file)| file).collect();
    for file in &files {
        size += std::fs::metadata(file).reading(file)?.len();
    }
    let types: BTreeSet<&str> = checkpoint.tensors().values().map(|info| info.dtype.as_str()).collect();
    let types: Vec<&str> = types.into_iter().collect();
    let text = format!(
        "{} ({}), {}, {} in {}",
        counted(tensors.len(), "tensor"),
        types.join(", "),
        millions(parameters),
        bytes(size),
        counted(files.len(), "file")
    );
    summary.line("weights", &text);
    Ok(json!({ "kind": "checkpoint", "parameters": parameters, "bytes": size, "tensors": tensors }))
}

fn millions(parameters: u64) -> String {
    match parameters {
        0..1_000_000 => format!("{parameters} parameters"),
        _ => format!("{:.2} million parameters", parameters as f64 / 1e6),
    }
}

/// Which model it is, and how its parts are named.
fn model(layout: &Layout, refusal: Option<&Error>, summary: &mut Summary) {
    let all = match layout.is_whole() {
        true if refusal.is_none() => "all of it and nothing else",
        true => "all names and shapes fit, but it cannot be exported",
        false => "not all fits",
    };
    summary.line("model", &format!("{} ({}), {all}", layout.model, layout.definition));
    for ComponentLayout { component, naming, prefix, found, needed } in &layout.components {
        summary.line(component, &format!("{found} of {needed} tensors, {naming}, behind `{prefix}`"));
    }
}

/// Whether the files are there that questions need; the tokenizer's folder is the first that has one.
fn words(folders: &[PathBuf], summary: &mut Summary, value: &mut Value) {
    let mut tokenizers = folders.iter().map(|folder| folder.join(TOKENIZER));
    let tokenizer = tokenizers.find(|file| file.is_file()).unwrap_or_default();
    let is_there = tokenizer.is_file();
    summary.line("tokenizer", if is_there { TOKENIZER } else { "missing: no tokenizer.json; `export` needs it" });
    value["tokenizer"] = is_there.then(|| tokenizer.display().to_string()).into();
    let (text, place) = match find_template(folders, "inspect").map(|found| found.template) {
        Ok(Some(template)) => {
            let name = template.place.rsplit('/').next().unwrap_or_default().to_string();
            (name, Some(template.place))
        }
        Ok(None) => ("missing: the prompt will be the plain text of a question".into(), None),
        Err(error) => (format!("cannot be read: {}", error.message), None),
    };
    summary.line("chat template", &text);
    value["chat_template"] = place.into();
}

/// Tensors that do not fit, by kind.
fn names(layout: &Layout, all: bool, summary: &mut Summary) {
    let shapes = |one: &Misshapen| format!("{} is {:?}, the model has {:?}", one.name, one.shape, one.needed);
    let lists = [
        ("missing", layout.missing.clone()),
        ("of another shape", layout.misshapen.iter().map(shapes).collect()),
        ("zero, as no layer of the kind has one", layout.zero.clone()),
        ("left over", layout.left_over.clone()),
    ];
    let most = if all { usize::MAX } else { MOST_LISTED };
    for (title, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
        summary.0.push_str(&format!("{title}: {}\n", names.len()));
        names.iter().take(most).for_each(|name| summary.0.push_str(&format!("  {}\n", in_line(name))));
        if names.len() > most {
            summary.0.push_str(&format!("  and {} more (--all lists them)\n", names.len() - most));
        }
    }
}

fn told(warnings: &[Warning], all: bool, summary: &mut Summary) {
    let most = if all { usize::MAX } else { MOST_LISTED };
    warnings.iter().take(most).for_each(|warning| summary.0.push_str(&format!("{warning}\n")));
    if warnings.len() > most {
        summary.0.push_str(&format!("and {} more warnings (--all lists them)\n", warnings.len() - most));
    }
}

/// All tensors, one on each line, where they are asked for.
fn listed(checkpoint: &Checkpoint, all: bool) -> String {
    let tensors = checkpoint.tensors().iter().filter(|_| all);
    tensors
        .map(|(name, info)| format!("{:<5} {:<20} {}\n", info.dtype, format!("{:?}", info.shape), in_line(name)))
        .collect()
}
