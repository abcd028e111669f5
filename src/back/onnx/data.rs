//! External data: one file beside the models, equal contents stored once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{IoContext, Result};
use crate::partition::Component;

/// Every tensor starts at a multiple of this many bytes.
const ALIGNMENT: u64 = 64;

/// The data files of a folder of models: one per component, made when it is first needed.
pub struct DataFiles<'a> {
    folder: &'a Path,
    writers: BTreeMap<Component, DataWriter>,
}

impl<'a> DataFiles<'a> {
    /// Data files in this folder.
    pub fn new(folder: &'a Path) -> Self {
        DataFiles { folder, writers: BTreeMap::new() }
    }

    /// Name of a component's data file.
    pub fn name(component: Component) -> String {
        format!("{}.data", component.name())
    }

    /// The writer of a component's file.
    pub fn writer(&mut self, component: Component) -> Result<&mut DataWriter> {
        match self.writers.entry(component) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(DataWriter::create(self.folder, &Self::name(component))?)),
        }
    }

    /// Writes what is still in memory.
    pub fn finish(self) -> Result<()> {
        self.writers.into_values().try_for_each(DataWriter::finish)
    }
}

/// Writes tensors one after the other. Two tensors of the same bytes get the same place, so that prefill and decode share
/// their weights.
pub struct DataWriter {
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
    position: u64,
    known: HashMap<[u8; 32], u64>,
}

impl DataWriter {
    fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let file = BufWriter::new(File::create(&path).at(&path)?);
        Ok(DataWriter { path, name: name.to_string(), file, position: 0, known: HashMap::new() })
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

    fn finish(self) -> Result<()> {
        let path = self.path;
        self.file.into_inner().map_err(|error| error.into_error()).and_then(|file| file.sync_all()).at(&path)
    }
}
