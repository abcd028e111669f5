//! Sets of samples, with labels or without.

use std::path::Path;

use super::labels::{Labels, beside};
use super::list;
use crate::drivers::Intake;
use crate::drivers::tensors::end_of;
use crate::samples::{Entry, Found, find, sample_text};
use autoneural_base::error::Result;
use autoneural_bundle::digest;
use autoneural_core::recipe::Recipe;

/// A set of samples.
pub(crate) struct Set {
    /// Its name: that of the folder or file.
    pub name: String,
    /// The samples.
    pub found: Found,
    /// Their labels, if there are any.
    pub labels: Option<Labels>,
}

impl Set {
    /// Reads a set: whatever samples are found in, or a list of files with labels (`.csv`, `.tsv`).
    ///
    /// # Errors
    /// Nothing that samples are read from, or labels that are not one for each sample.
    pub(crate) fn read(path: &Path, intakes: &[Intake], is_unlabelled: bool) -> Result<Self> {
        let (found, labels) = match end_of(path).as_str() {
            end @ ("csv" | "tsv") if !path.is_dir() => {
                let (found, labels) = list::read(path, end == "tsv", intakes)?;
                (found, Some(labels))
            }
            _ => {
                let found = find(path, intakes)?;
                let labels = if is_unlabelled { None } else { beside(&found, intakes)? };
                (found, labels)
            }
        };
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = whole.file_name().map_or_else(|| "set".into(), |name| name.to_string_lossy().into_owned());
        Ok(Set { name, found, labels: labels.filter(|_| !is_unlabelled) })
    }

    /// What identifies the samples (by path and size) with what a recipe makes of them, and what is counted of them.
    pub(crate) fn key(&self, recipe: &Recipe, counted: &str) -> String {
        let mut parts = vec![counted.to_string(), format!("{:?}", recipe.preprocess)];
        for entry in &self.found.entries {
            parts.push(sample_text(entry));
            let files: Vec<&Path> = match entry {
                Entry::Stacked(file, _) => vec![file],
                Entry::Each(files) => files.values().map(|file| file.as_path()).collect(),
            };
            for file in files {
                let bytes = std::fs::metadata(self.found.origin.folder.join(file)).map_or(0, |meta| meta.len());
                parts.push(bytes.to_string());
            }
        }
        digest(parts.iter().map(String::as_str))[..16].to_string()
    }
}
