//! Where the samples of a recipe come from.

use std::path::{Path, PathBuf};

/// Where the samples of a list (calibration or verification) come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What the user named, for messages: a recipe, a folder, a file.
    pub place: PathBuf,
    /// The folder that the paths of samples are relative to.
    pub folder: PathBuf,
}

impl Origin {
    /// The origin of samples that a file names, with paths relative to that file.
    pub fn beside(file: &Path) -> Self {
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        Origin { place: file.to_path_buf(), folder }
    }
}
