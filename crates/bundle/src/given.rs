//! Files of encodings that were learned elsewhere: read once, taken in place of calibration, copied into the bundle.

use std::path::{Path, PathBuf};

use super::bundle::Bundle;
use super::hash::{digest, hash_bytes};
use super::key::Key;
use super::manifest::GivenRecord;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files;
use autoneural_base::json::LARGEST_JSON;
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, groups};
use autoneural_core::quantize::{Given, Stated};
use autoneural_engines::back::encodings::add;

/// Folder of the copies, in that of the encodings.
const FOLDER: &str = "given";

/// Where a bundle has what a quantized model states of a group.
pub fn kept_file(group: &Group) -> String {
    format!("model/{group}.kept.json")
}

/// The encodings of the files, and the files themselves.
#[derive(Default)]
pub struct GivenFiles {
    encodings: Given,
    files: Vec<(PathBuf, Vec<u8>)>,
    settles: bool,
}

impl GivenFiles {
    fn ended(mut self) -> Self {
        if self.settles {
            self.encodings = self.encodings.settled();
        }
        self
    }

    /// Reads all files. Where `settles` is true, what of them does not fit is settled and said, else it is refused.
    ///
    /// # Errors
    /// Malformed JSON, another version, an entry that is impossible or stands twice, files that contradict each other.
    pub fn read(paths: &[PathBuf], settles: bool) -> Result<Self> {
        let mut made = GivenFiles { settles, ..GivenFiles::default() };
        for path in paths {
            if path.is_dir() {
                return Err(Error::input(path.display(), "is a folder, a file is wanted"));
            }
            let bytes = autoneural_base::text::read_at_most(path, LARGEST_JSON)?;
            add(&mut made.encodings, path, &bytes)?;
            made.files.push((path.clone(), bytes));
        }
        Ok(made.ended())
    }

    /// The copies in a bundle.
    ///
    /// # Errors
    /// As for [`GivenFiles::read`], and a copy that is not in the bundle.
    pub fn of_bundle(bundle: &Bundle) -> Result<Self> {
        let mut made = GivenFiles::default();
        for GivenRecord { path, settled, .. } in &bundle.manifest.given_encodings {
            made.settles |= settled;
            let (bytes, path) = (bundle.read(path, LARGEST_JSON)?, bundle.path(path));
            add(&mut made.encodings, &path, &bytes)?;
            made.files.push((path, bytes));
        }
        Ok(made.ended())
    }

    /// Whether no file was given.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The encodings of all files.
    pub fn encodings(&self) -> &Given {
        &self.encodings
    }

    /// The encodings under the names of the graphs, and beside them what quantized models state whose encodings were
    /// kept when the bundle was made of them.
    ///
    /// # Errors
    /// Names that no partition has or that fit several tensors; a damaged bundle.
    pub fn resolved(&self, bundle: &Bundle, partitions: &[Partition]) -> Result<Given> {
        let mut made = self.encodings.resolved(partitions, &bundle.aliases()?)?;
        for group in groups(partitions) {
            let path = kept_file(&group);
            if bundle.has_file(&path) {
                let stated: Stated = bundle.json(&path)?;
                let place = bundle.path(&path).display().to_string();
                stated.check().map_err(|(name, message)| Error::input(format!("{place}: `{name}`"), message))?;
                made.keep(&group, &place, stated);
            }
        }
        Ok(made)
    }

    /// A key of the files: their names and contents, in order.
    pub fn key(&self) -> Key {
        let key = if self.settles { Key::new().and("given", "settled") } else { Key::new() };
        self.files.iter().fold(key, |key, (path, bytes)| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            key.and("given", stem).and("contents", digest([String::from_utf8_lossy(bytes).as_ref()].into_iter()))
        })
    }

    /// Copies the files below the folder of the encodings, in the order in which they were given.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn copy_to(&self, encodings: &Path) -> Result<Vec<GivenRecord>> {
        let folder = encodings.join(FOLDER);
        if !self.files.is_empty() {
            std::fs::create_dir(&folder).at(&folder)?;
        }
        let mut records = Vec::new();
        for (number, (path, bytes)) in self.files.iter().enumerate() {
            // Files in different folders may have the same name.
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{}-{stem}.json", number + 1);
            let copy = folder.join(&name);
            files::write(&copy, bytes)?;
            records.push(GivenRecord {
                path: format!("encodings/{FOLDER}/{name}"),
                sha256: hash_bytes(bytes),
                settled: self.settles,
            });
        }
        Ok(records)
    }
}
