//! Where the samples of a list are from.

use std::path::{Path, PathBuf};

/// Where the samples of a list are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What the user named, for messages: a recipe, a folder, a file.
    pub place: PathBuf,
    /// The folder that the paths of samples are relative to.
    pub folder: PathBuf,
}

impl Origin {
    /// Of samples that a file names, relative to itself.
    pub fn beside(file: &Path) -> Self {
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        Origin { place: file.to_path_buf(), folder }
    }
}
