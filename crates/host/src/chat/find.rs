//! Where a checkpoint has its chat template and its special tokens: the same files, in the same order, as transformers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::Special;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::warning::Warning;

/// Name of the template's file in a checkpoint and in a bundle.
pub const CHAT_TEMPLATE: &str = "chat_template.jinja";
/// Name of the file of special tokens in a bundle; checkpoints have one too.
pub const SPECIAL_TOKENS: &str = "special_tokens_map.json";
/// Files of a processor that may hold its template.
const PROCESSOR: [&str; 2] = ["processor_config.json", "chat_template.json"];
/// Folder of a processor's other templates.
const ADDITIONAL: &str = "additional_chat_templates";
/// The tokenizer's configuration.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// Key of the template in a configuration.
const KEY: &str = "chat_template";
/// Largest file that is read.
const LARGEST_FILE: u64 = 16 << 20;

/// A template's text, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSource {
    /// The file, and the key in it.
    pub place: String,
    /// The text.
    pub text: String,
}

/// What a checkpoint has for conversations.
#[derive(Debug, Default)]
pub struct Found {
    /// The template.
    pub template: Option<TemplateSource>,
    /// Special tokens, by name.
    pub specials: BTreeMap<String, Special>,
    /// What should be known of them.
    pub warnings: Vec<Warning>,
}

/// A checkpoint's chat template, if it has one, and the special tokens that it may name. Of several folders the first
/// is that of the tokenizer.
///
/// # Errors
/// A file that is there and cannot be read, or that is a link out of the checkpoint.
pub fn find_template(folders: &[PathBuf], stage: &str) -> Result<Found> {
    let specials = folders.first().map(|folder| find_specials(folder)).transpose()?.unwrap_or_default();
    let mut found = Found { specials, ..Found::default() };
    let mut sources = Vec::new();
    for folder in folders {
        for name in PROCESSOR {
            sources.extend(in_config(folder, name)?);
        }
        sources.extend(in_files(folder)?);
    }
    // A processor's template goes before the tokenizer's, which knows no images.
    let of_processor = sources.len();
    for folder in folders {
        sources.extend(in_config(folder, TOKENIZER_CONFIG)?);
    }
    let Some(first) = sources.first() else {
        let help =
            "add the model's chat_template.jinja to the checkpoint, or write prompts as the model was trained on them";
        let message =
            "is not in the checkpoint, nor is another chat template: a prompt is the bare text of the messages";
        found.warnings.push(Warning::new(stage, CHAT_TEMPLATE, message).help(help));
        return Ok(found);
    };
    let others = sources[1..of_processor.max(1)].iter().filter(|other| other.templates != first.templates);
    for other in others {
        let message = format!("is another chat template than {}, which is the one that is taken", first.place);
        found.warnings.push(Warning::new(stage, &other.place, message).help("remove the one that is not meant"));
    }
    match first.templates.get("default") {
        Some(text) => {
            if text.starts_with('\u{feff}') {
                let message = "begins with a byte order mark, which becomes a part of each prompt, as in transformers";
                found.warnings.push(Warning::new(stage, &first.place, message).help("save the template without it"));
            }
            found.template = Some(TemplateSource { place: first.place.clone(), text: text.clone() });
        }
        None => {
            let names: Vec<&str> = first.templates.keys().map(String::as_str).collect();
            let message = format!(
                "has no chat template named default, only {}: a prompt is the bare text of the messages",
                names.join(", ")
            );
            let help = format!("save the one that is meant as {CHAT_TEMPLATE}");
            found.warnings.push(Warning::new(stage, &first.place, message).help(help));
        }
    }
    Ok(found)
}

/// Templates of one place, by name.
struct Templates {
    place: String,
    templates: BTreeMap<String, String>,
}

fn in_config(folder: &Path, name: &str) -> Result<Option<Templates>> {
    let path = folder.join(name);
    let Some(mut config) = read_json(folder, &path)? else { return Ok(None) };
    let place = format!("{}, {KEY}", path.display());
    let wrong = |what: &str| Err(Error::input(&place, format!("is {what}, a template or named templates are wanted")));
    let one = |name: &str, text: String| BTreeMap::from([(name.to_string(), text)]);
    let templates = match config.get_mut(KEY).map(Value::take).unwrap_or_default() {
        Value::Null => return Ok(None),
        Value::String(text) => one("default", text),
        Value::Object(named) => {
            let text = |(name, text): (String, Value)| Some((name, text.as_str()?.to_string()));
            named.into_iter().filter_map(text).collect()
        }
        Value::Array(list) => {
            let pair =
                |entry: &Value| Some((entry["name"].as_str()?.to_string(), entry["template"].as_str()?.to_string()));
            list.iter().filter_map(pair).collect()
        }
        Value::Bool(_) => return wrong("true or false"),
        Value::Number(_) => return wrong("a number"),
    };
    Ok(if templates.is_empty() { None } else { Some(Templates { place, templates }) })
}

fn in_files(folder: &Path) -> Result<Option<Templates>> {
    let path = folder.join(CHAT_TEMPLATE);
    let mut templates = BTreeMap::new();
    let others = folder.join(ADDITIONAL);
    if others.is_dir() {
        for entry in std::fs::read_dir(&others).reading(&others)? {
            let path = entry.at(&others)?.path();
            if path.extension().is_some_and(|extension| extension == "jinja")
                && let Some(name) = path.file_stem()
            {
                stay_inside(folder, &path)?;
                templates.insert(name.to_string_lossy().into_owned(), autoneural_base::text::read(&path)?);
            }
        }
    }
    if path.symlink_metadata().is_ok() {
        stay_inside(folder, &path)?;
        templates.insert("default".to_string(), autoneural_base::text::read(&path)?);
    } else if templates.is_empty() {
        return Ok(None);
    }
    let place = if templates.contains_key("default") && path.is_file() { path } else { others };
    Ok(Some(Templates { place: place.display().to_string(), templates }))
}

/// Refuses a link that leads out of the checkpoint: the file's text would become a part of the bundle. The cache of the
/// Hugging Face hub keeps the files of a repository in `blobs`, to which its snapshots link.
fn stay_inside(folder: &Path, path: &Path) -> Result<()> {
    let (root, file) = (folder.canonicalize().reading(folder)?, path.canonicalize().reading(path)?);
    let root = hub_repository(&root).unwrap_or(root);
    if file.starts_with(&root) {
        return Ok(());
    }
    let message = format!("is a link out of the checkpoint, to {}", file.display());
    Err(Error::input(path.display(), message)
        .help("copy the file into the checkpoint's folder if it is the one that is meant"))
}

/// `models--…` of `models--…/snapshots/REVISION`.
fn hub_repository(snapshot: &Path) -> Option<PathBuf> {
    let snapshots = snapshot.parent().filter(|parent| parent.file_name().is_some_and(|name| name == "snapshots"))?;
    let repository = snapshots.parent()?;
    repository.file_name()?.to_str()?.starts_with("models--").then(|| repository.to_path_buf())
}

/// A configuration, if there is one.
fn read_json(folder: &Path, path: &Path) -> Result<Option<Value>> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    stay_inside(folder, path)?;
    autoneural_base::text::json(path, &autoneural_base::text::read_at_most(path, LARGEST_FILE)?).map(Some)
}

/// The special tokens of a bundle.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn read_specials(folder: &Path) -> Result<BTreeMap<String, Special>> {
    let path = folder.join(SPECIAL_TOKENS);
    match path.symlink_metadata() {
        Ok(_) => autoneural_base::text::json(&path, &autoneural_base::text::read_at_most(&path, LARGEST_FILE)?),
        Err(_) => Ok(BTreeMap::new()),
    }
}

fn find_specials(folder: &Path) -> Result<BTreeMap<String, Special>> {
    let mut found = BTreeMap::new();
    let config = read_json(folder, &folder.join(TOKENIZER_CONFIG))?.unwrap_or_default();
    let mut take = |config: &Value| {
        for (name, value) in config.as_object().into_iter().flatten() {
            if name.ends_with("_token")
                && let Some(text) = token(value)
            {
                found.insert(name.clone(), Special::One(text));
            }
        }
    };
    take(&config);
    for group in ["extra_special_tokens", "model_specific_special_tokens"] {
        take(&config[group]);
    }
    let map = read_json(folder, &folder.join(SPECIAL_TOKENS))?.unwrap_or_default();
    // A configuration with its own list of added tokens is newer than the map beside it.
    if config["added_tokens_decoder"].is_null() {
        take(&map);
    }
    for config in [&config, &map] {
        if let Value::Array(list) = &config["additional_special_tokens"] {
            let several = Special::Several(list.iter().filter_map(token).collect());
            found.entry("additional_special_tokens".to_string()).or_insert(several);
        }
    }
    Ok(found)
}

/// The text of a token, which may stand with how it is found.
fn token(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["content"].as_str()).map(String::from)
}
