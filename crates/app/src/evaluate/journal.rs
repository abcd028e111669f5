//! What was computed so far, in a hidden folder of the bundle: a line per question or sample and engine, and the float
//! outputs of questions.
//!
//! Lines that were not written on this machine are ignored: a bundle may come from elsewhere, and its answers would
//! become those of the report.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::marker::PhantomData;
use std::path::PathBuf;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::score::Outputs;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::Folder;
use autoneural_bundle::{OWN_MODE, hash_bytes, is_ours, origin_of};
use autoneural_core::ir::le_bytes;
use autoneural_engines::engine::EngineKind;

/// Largest journal that is read.
const LARGEST_FILE: u64 = 1 << 30;

/// The journal of one set on one bundle; a record is what one engine made of one question or sample.
pub(crate) struct Journal<R> {
    folder: Folder,
    /// SHA-256 of the float outputs that were kept here, by number of the question.
    references: RefCell<BTreeMap<usize, String>>,
    record: PhantomData<R>,
}

#[derive(Serialize, Deserialize)]
struct Line<R> {
    number: usize,
    record: R,
    /// SHA-256 of the file of float outputs, in float's own lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Which file this line was written into.
    #[serde(default)]
    origin: String,
}

impl<R: Clone + Serialize + DeserializeOwned> Journal<R> {
    /// Opens the journal in `folder`.
    ///
    /// # Errors
    /// The answers of the float engine cannot be read.
    pub(crate) fn open(folder: Folder) -> Result<Self> {
        let made = Journal { folder, references: RefCell::default(), record: PhantomData };
        let kept = made.lines(EngineKind::Float)?.into_iter().filter_map(|line| Some((line.number, line.reference?)));
        made.references.replace(kept.collect());
        Ok(made)
    }

    fn name(kind: EngineKind) -> String {
        format!("{}.jsonl", kind.name())
    }

    fn reference_name(number: usize) -> String {
        format!("float-{number:05}.safetensors")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of an engine that were written here. What else the file holds is taken out, such as a last line that a
    /// killed run left half written.
    fn lines(&self, kind: EngineKind) -> Result<Vec<Line<R>>> {
        let name = Self::name(kind);
        if !self.folder.has(&name) {
            return Ok(vec![]);
        }
        let (file, bytes) = (self.folder.file(&name)?, self.folder.read(&name, LARGEST_FILE)?);
        let (mut found, mut is_whole) = (Vec::new(), true);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match serde_json::from_slice::<Line<R>>(line) {
                Ok(parsed) if line.ends_with(b"\n") && is_ours(&parsed.origin, &file, &self.folder) => {
                    found.push(parsed)
                }
                _ => is_whole = false,
            }
        }
        if !is_whole {
            self.folder.replace_by(&name, OWN_MODE, |file| {
                let origin = origin_of(file, &self.folder).map_err(std::io::Error::other)?;
                found.iter_mut().try_for_each(|line| {
                    line.origin.clone_from(&origin);
                    write_line(file, line)
                })
            })?;
        }
        Ok(found)
    }

    /// The earlier answers of an engine, by the number of the question.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn records(&self, kind: EngineKind) -> Result<BTreeMap<usize, R>> {
        Ok(self.lines(kind)?.into_iter().map(|line| (line.number, line.record)).collect())
    }

    /// Adds an answer of an engine to a question.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn add(&self, kind: EngineKind, number: usize, record: &R) -> Result<()> {
        let name = Self::name(kind);
        let mut file = self.folder.append(&name)?;
        let reference = self.references.borrow().get(&number).filter(|_| kind == EngineKind::Float).cloned();
        let origin = origin_of(&file, &self.folder)?;
        let line = Line { number, record: record.clone(), reference, origin };
        write_line(&mut file, &line).and_then(|()| file.sync_data()).at(&self.path(&name))
    }

    /// Takes over what an engine answered in another journal, which the user named: where it was written makes no
    /// difference. What is known here stays.
    ///
    /// # Errors
    /// A file that is damaged, or cannot be written.
    pub(crate) fn adopt(&self, other: &Folder, kind: EngineKind) -> Result<()> {
        let name = Self::name(kind);
        if !other.has(&name) {
            return Ok(());
        }
        let (path, bytes, known) = (other.path().join(&name), other.read(&name, LARGEST_FILE)?, self.records(kind)?);
        for (at, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let place = || format!("{}:{}", path.display(), at + 1);
            let line: Line<R> = serde_json::from_slice(line)
                .map_err(|error| Error::input(place(), error).help("evaluate the slice again, into another folder"))?;
            if known.contains_key(&line.number) {
                continue;
            }
            if let Some(sha256) = line.reference {
                let file = Self::reference_name(line.number);
                let made = other.read(&file, LARGEST_FILE)?;
                if hash_bytes(&made) != sha256 {
                    let path = other.path().join(file);
                    return Err(Error::input(path.display(), "is not the file that was written")
                        .help("evaluate the slice again, into another folder"));
                }
                self.folder.replace(&file, &made)?;
                self.references.borrow_mut().insert(line.number, sha256);
            }
            self.add(kind, line.number, &line.record)?;
        }
        Ok(())
    }

    /// Whether the float outputs of a question are kept, those that were written here.
    pub(crate) fn has_reference(&self, number: usize) -> bool {
        self.references.borrow().contains_key(&number) && self.folder.has(Self::reference_name(number))
    }

    /// Keeps the float outputs of a question.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep_reference(&self, number: usize, outputs: &Outputs) -> Result<()> {
        let name = Self::reference_name(number);
        let path = self.path(&name);
        let (features, logits) = (le_bytes(&outputs.features), le_bytes(&outputs.logits));
        let view = |bytes, count| TensorView::new(Dtype::F32, vec![count], bytes);
        let failed = |error: safetensors::SafeTensorError| Error::internal(path.display(), error);
        let tensors = [
            ("features", view(&features, outputs.features.len()).map_err(failed)?),
            ("logits", view(&logits, outputs.logits.len()).map_err(failed)?),
        ];
        let made = safetensors::serialize(tensors, None).map_err(failed)?;
        self.folder.replace(&name, &made)?;
        self.references.borrow_mut().insert(number, hash_bytes(&made));
        Ok(())
    }

    /// The float outputs of a question; `None` if they are not kept, or if their file was changed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn reference(&self, number: usize) -> Result<Option<Outputs>> {
        if !self.has_reference(number) {
            return Ok(None);
        }
        let name = Self::reference_name(number);
        let (bytes, path) = (self.folder.read(&name, LARGEST_FILE)?, self.path(&name));
        if self.references.borrow().get(&number) != Some(&hash_bytes(&bytes)) {
            self.references.borrow_mut().remove(&number);
            return Ok(None);
        }
        let failed = |error: safetensors::SafeTensorError| Error::input(path.display(), error);
        let tensors = SafeTensors::deserialize(&bytes).map_err(failed)?;
        let values = |name: &str| -> Result<Vec<f32>> {
            let tensor = tensors.tensor(name).map_err(failed)?;
            let (chunks, _) = tensor.data().as_chunks::<4>();
            Ok(chunks.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect())
        };
        Ok(Some(Outputs { features: values("features")?, logits: values("logits")? }))
    }
}

fn write_line(file: &mut File, line: &Line<impl Serialize>) -> std::io::Result<()> {
    let text = serde_json::to_string(line).map_err(std::io::Error::other)?;
    file.write_all(format!("{text}\n").as_bytes())
}
