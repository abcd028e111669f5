//! One entry of a file with encodings that were learned elsewhere.

use crate::encoding::Encoding;
use autoneural_base::error::Error;

/// Largest scale that is accepted, so that products of scales stay far from the end of f32.
pub(crate) const LARGEST_SCALE: f32 = 1e12;

/// An encoding, the file that it is from, and its name in that file. Most files do not tell the axis of a per-channel
/// encoding, only that there is one.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The encoding. Its own `axis` says only whether there is one scale per channel.
    pub encoding: Encoding,
    /// The axis of its scales, if the file tells it.
    pub axis: Option<i64>,
    /// The file.
    pub file: String,
    /// Its name in that file.
    pub name: String,
}

impl Entry {
    /// An error about the entry.
    pub(crate) fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::input(self.place(), message)
    }

    /// The file and the name in it, as the place of an error.
    pub(crate) fn place(&self) -> String {
        format!("{}: `{}`", self.file, self.name)
    }

    /// The encoding.
    pub(crate) fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// The file that it is from.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }
}
