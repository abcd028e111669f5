//! JSON files of a bundle.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, IoContext, Result};

/// Largest JSON file of a bundle that is read; those of a model of 1.5 billion parameters have some megabytes.
pub const LARGEST_JSON: u64 = 256 << 20;

/// Writes a value as JSON under another name first, so that the file is whole or not there.
pub fn write_json(value: &impl Serialize, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| Error::internal(path.display(), error))?;
    text.push('\n');
    let partial = path.with_extension("json.partial");
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    written.inspect_err(|_| drop(std::fs::remove_file(&partial))).at(path)
}

/// Reads a value.
///
/// # Errors
/// A missing file, a larger one than [`LARGEST_JSON`], or another content; with the line.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    parse(path, &crate::text::read_at_most(path, LARGEST_JSON)?)
}

/// Reads a value that says which schema it is of; `help` is what to do where it is another.
///
/// # Errors
/// As [`read_json`], and another schema, whatever else the file holds.
pub fn read_json_of<T: DeserializeOwned>(path: &Path, schema: u32, help: &str) -> Result<T> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let bytes = crate::text::read_at_most(path, LARGEST_JSON)?;
    let versioned: Versioned = parse(path, &bytes)?;
    if versioned.schema != schema {
        let message = format!("is of schema {}; this version reads schema {schema}", versioned.schema);
        return Err(Error::input(path.display(), message).help(help));
    }
    parse(path, &bytes)
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::input(format!("{}:{}", path.display(), error.line()), error))
}
