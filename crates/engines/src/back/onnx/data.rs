//! External data: one file beside the models, equal contents stored once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use autoneural_base::error::{IoContext, Result};
use autoneural_core::ir::{Constant, Identity};
use autoneural_core::program::Group;

/// Every tensor starts at a multiple of this many bytes.
const ALIGNMENT: u64 = 64;

/// Writes tensors one after the other. Two tensors of the same bytes get the same place, so that graphs of a group
/// share their weights.
pub struct DataWriter {
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
    position: u64,
    known: HashMap<[u8; 32], u64>,
    /// Offsets of constants by their identity, which is known without reading their numbers. The constants are kept, so
    /// that no other constant can get the same identity.
    places: HashMap<Identity, (Constant, u64)>,
}

impl DataWriter {
    /// Begins the data file of a group in `folder`.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(folder: &Path, group: &Group) -> Result<Self> {
        Self::named(folder, Self::name_of(group))
    }

    /// Begins the data file for constants that a group's graphs had as they were built and that the frozen graphs do
    /// not have.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create_as_built(folder: &Path, group: &Group) -> Result<Self> {
        Self::named(folder, Self::as_built_name_of(group))
    }

    fn named(folder: &Path, name: String) -> Result<Self> {
        let path = folder.join(&name);
        let file = BufWriter::new(autoneural_base::files::create(&path)?);
        Ok(DataWriter { path, name, file, position: 0, known: HashMap::new(), places: HashMap::new() })
    }

    /// Name of a group's data file.
    pub fn name_of(group: &Group) -> String {
        format!("{}.data", group.name())
    }

    /// Name of the file of [`DataWriter::create_as_built`], which is hidden.
    pub fn as_built_name_of(group: &Group) -> String {
        format!(".as-built.{}", Self::name_of(group))
    }

    /// File name, as models in the same folder refer to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends bytes, unless the file has the same bytes already, and returns their offset in bytes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        if let Some(&offset) = self.known.get(&digest) {
            return Ok(offset);
        }
        let padding = self.position.next_multiple_of(ALIGNMENT) - self.position;
        self.file.write_all(&[0u8; ALIGNMENT as usize][..padding as usize]).at(&self.path)?;
        self.file.write_all(bytes).at(&self.path)?;
        let offset = self.position + padding;
        self.position = offset + bytes.len() as u64;
        self.known.insert(digest, offset);
        Ok(offset)
    }

    /// Appends the bytes that are made of a constant, unless they are there already, and returns their offset in bytes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append_constant(&mut self, constant: &Constant, bytes: impl FnOnce() -> Vec<u8>) -> Result<u64> {
        if let Some(offset) = self.place_of(constant) {
            return Ok(offset);
        }
        let offset = self.append(&bytes())?;
        self.places.insert(Identity::of(constant), (constant.clone(), offset));
        Ok(offset)
    }

    /// Offset of a constant, if that is known without reading its numbers.
    pub fn place_of(&self, constant: &Constant) -> Option<u64> {
        self.places.get(&Identity::of(constant)).map(|(_, offset)| *offset)
    }

    /// Writes what is still in memory to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        self.file.into_inner().map_err(|error| error.into_error()).map(drop).at(&path)
    }
}
