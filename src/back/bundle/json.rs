//! JSON files of a bundle.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Largest JSON file of a bundle that is read; those of a model of 1.5 billion parameters have some megabytes.
pub const LARGEST_JSON: u64 = 256 << 20;

/// Writes a value as JSON under another name first, so that the file is whole or not there.
pub fn write_json(value: &impl Serialize, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| Error::internal(path.display(), error))?;
    text.push('\n');
    crate::text::write(path, &text)
}

/// Reads a value.
///
/// # Errors
/// A missing file, a larger one than [`LARGEST_JSON`], or another content; with the line.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    crate::text::json(path, &crate::text::read_at_most(path, LARGEST_JSON)?)
}

/// A value from the text of a file that says which schema it is of; `help` is what to do where it is another.
///
/// # Errors
/// Another schema, whatever else the text holds; another content, with the line.
pub fn json_of<T: DeserializeOwned>(path: &Path, text: &[u8], schema: u32, help: &str) -> Result<T> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let versioned: Versioned = crate::text::json(path, text)?;
    if versioned.schema != schema {
        let message = format!("is of schema {}; this version reads schema {schema}", versioned.schema);
        return Err(Error::input(path.display(), message).help(help));
    }
    crate::text::json(path, text)
}
