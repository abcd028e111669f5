//! The baseline's file: JSON that is small, sorted, and one entry a line, so that a pull request shows what changed.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::facts::{Facts, SCHEMA};
use autoneural_base::error::{Error, Result};
use autoneural_base::json::json_of;
use autoneural_bundle::hash_bytes;

/// A baseline with its file.
pub struct Baseline {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The first digits of the SHA-256 of its text.
    pub digest: String,
    /// What was accepted.
    pub facts: Facts,
    text: String,
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// A missing file, one that is truncated, of another schema, or says what cannot be.
    pub fn read(path: &Path) -> Result<Self> {
        let text = autoneural_base::text::read(path)?;
        let help = "restore it from the repository, or remove it and write it again with `autoneural gate BUNDLE \
                    --baseline FILE --update`";
        let of_another =
            "another version of autoneural wrote it: use that one, or remove the file and write it again with --update";
        refuse_unfinished(path, &text)?;
        let facts: Facts = json_of(path, text.as_bytes(), SCHEMA, of_another).map_err(|error| match error.help {
            Some(_) => error,
            None => {
                let message = match error.message.starts_with("is no JSON: EOF while") {
                    true => "is no whole baseline: it ends in the middle".to_string(),
                    false => format!("is no baseline: {}", error.message),
                };
                Error::input(error.place, message).help(help)
            }
        })?;
        facts.check().map_err(|message| Error::input(path.display(), message).help(help))?;
        let digest = hash_bytes(text.as_bytes())[..12].to_string();
        Ok(Baseline { path: path.to_path_buf(), digest, facts, text })
    }

    /// Line of the entry that these keys lead to, counted from 1; where one of them is not there, that of the key
    /// before.
    pub fn line(&self, keys: &[&str]) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut at = None;
        for (depth, key) in keys.iter().enumerate() {
            let start = format!("{}{}:", "  ".repeat(depth + 1), Value::from(*key));
            let first = at.map_or(0, |at| at + 1);
            // What is indented less ends the object that is looked into.
            let inside = |line: &&str| depth == 0 || line.starts_with(&"  ".repeat(depth + 1));
            let found = lines[first..].iter().take_while(|line| inside(line)).position(|line| line.starts_with(&start));
            match found {
                Some(found) => at = Some(first + found),
                None => break,
            }
        }
        at.map_or(1, |at| at + 1)
    }
}

/// Refuses a file that people keep in a repository and that is empty, or in which a merge was not finished.
///
/// # Errors
/// What is wrong, with the line.
pub(crate) fn refuse_unfinished(path: &Path, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::input(path.display(), "is empty").help("restore it from the repository, or remove it"));
    }
    let is_mark = |line: &str| ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark));
    match text.lines().position(is_mark) {
        Some(at) => {
            let place = format!("{}:{}", path.display(), at + 1);
            Err(Error::input(place, "holds marks of a merge that was not finished").help("finish the merge"))
        }
        None => Ok(()),
    }
}

/// The text of a baseline's file.
///
/// # Errors
/// None that a user can cause.
pub fn text_of(facts: &Facts) -> Result<String> {
    let value = serde_json::to_value(facts).map_err(|error| Error::internal("baseline", error))?;
    let mut text = String::new();
    write(&value, 0, &mut text);
    text.push('\n');
    Ok(text)
}

/// Outputs, layers, encodings and evaluations are a line each.
fn write(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(entries)
            if !entries.is_empty() && (depth <= 3 && depth != 2 || depth == 2 && is_nested(value)) =>
        {
            text.push_str("{\n");
            for (index, (name, entry)) in entries.iter().enumerate() {
                text.push_str(&format!("{}{}: ", "  ".repeat(depth + 1), Value::from(name.as_str())));
                write(entry, depth + 1, text);
                text.push_str(if index + 1 < entries.len() { ",\n" } else { "\n" });
            }
            text.push_str(&format!("{}}}", "  ".repeat(depth)));
        }
        _ => text.push_str(&value.to_string()),
    }
}

/// Whether an object holds objects.
fn is_nested(value: &Value) -> bool {
    value.as_object().is_some_and(|entries| entries.values().any(Value::is_object))
}
