//! JSON files that the program writes and reads again.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;

/// Largest JSON file of a bundle that is read; those of a model of 1.5 billion parameters have some megabytes.
pub const LARGEST_JSON: u64 = 256 << 20;

/// Writes a value as JSON into a new file, in a folder that nobody reads before it is complete (see [`files::write`]).
///
/// # Errors
/// The value is no JSON, which is a defect, or the file cannot be written.
pub fn write_json(value: &impl Serialize, path: &Path) -> Result<()> {
    files::write(path, text_of(value, path)?.as_bytes())
}

/// A value as indented JSON with a newline at its end; `path` is only for messages.
///
/// # Errors
/// The value is no JSON, such as a map whose keys are no texts, which is a defect.
pub fn text_of(value: &impl Serialize, path: &Path) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::internal(path.display(), error))?;
    Ok(text + "\n")
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
