//! One encoding of a file of encodings that were learned elsewhere.

use crate::encoding::Encoding;
use autoneural_base::error::Error;

/// An encoding, the file it is from and its name there. Most files do not tell the axis of a per-channel encoding, only
/// that there is one.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says.
    pub encoding: Encoding,
    /// The axis of its scales, where the file tells it.
    pub axis: Option<i64>,
    /// The file.
    pub file: String,
    /// Its name there.
    pub name: String,
}

impl Entry {
    /// An error about the entry.
    pub fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::input(self.place(), message)
    }

    /// Its file and its name there.
    pub fn place(&self) -> String {
        format!("{}: `{}`", self.file, self.name)
    }

    /// What it says.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// The file that it is from.
    pub fn file(&self) -> &str {
        &self.file
    }
}
