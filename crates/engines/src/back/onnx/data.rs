//! External data: one file beside the models, equal contents stored once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{IoContext, Result};
use crate::program::Group;

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
}

impl DataWriter {
    /// Begins the file of a group in `folder`.
    pub fn create(folder: &Path, group: &Group) -> Result<Self> {
        let name = Self::name_of(group);
        let path = folder.join(&name);
        let file = BufWriter::new(crate::files::create(&path)?);
        Ok(DataWriter { path, name, file, position: 0, known: HashMap::new() })
    }

    /// Name of a group's data file.
    pub fn name_of(group: &Group) -> String {
        format!("{}.data", group.name())
    }

    /// File name, as models in the same folder refer to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends bytes and gives their offset.
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

    /// Writes what is still in memory.
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        self.file.into_inner().map_err(|error| error.into_error()).map(drop).at(&path)
    }
}
