//! A bundle's files: path, size and contents, and which of them are what.

use serde::{Deserialize, Serialize};

use crate::paths::GOLDEN;

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Path in the bundle.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Whether a file is hidden. Hidden files are this program's own and are not listed in the manifest.
pub(crate) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// Whether a file belongs to the models: it is in a folder, and neither hidden nor a golden vector.
pub fn is_of_model(path: &str) -> bool {
    path.contains('/') && !is_hidden(path) && !path.starts_with(GOLDEN)
}

/// Whether a file decides about figures: one of the models, below all folders but that of calibration: what that found
/// is in the encodings, and its copy of the recipe may state other goals.
pub fn is_behind_figures(path: &str) -> bool {
    is_of_model(path) && !path.starts_with("calibration/")
}

/// Path and contents of these files.
pub(crate) fn models<'a>(files: impl Iterator<Item = &'a FileRecord>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_model = files.filter(|file| is_behind_figures(&file.path));
    of_model.map(|file| (file.path.as_str(), file.sha256.as_str()))
}
