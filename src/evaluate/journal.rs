//! What was computed so far, in a hidden folder of the bundle: a line per question and engine, and the float outputs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::record::Record;
use super::score::Outputs;
use crate::error::{Error, IoContext, Result};
use crate::ir::le_bytes;
use crate::runner::EngineKind;

/// Largest journal that is read.
const LARGEST_FILE: u64 = 1 << 30;

/// The journal of one set on one bundle.
pub struct Journal {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Line {
    number: usize,
    record: Record,
}

impl Journal {
    /// Opens the journal in `folder`, or begins one.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).at(folder)?;
        Ok(Journal { folder: folder.to_path_buf() })
    }

    fn lines(&self, kind: EngineKind) -> PathBuf {
        self.folder.join(format!("{}.jsonl", kind.name()))
    }

    fn reference_file(&self, number: usize) -> PathBuf {
        self.folder.join(format!("float-{number:05}.safetensors"))
    }

    /// What an engine has answered before, by number of the question. A last line that a killed run left half written is
    /// taken out.
    pub fn records(&self, kind: EngineKind) -> Result<BTreeMap<usize, Record>> {
        let path = self.lines(kind);
        if !path.is_file() {
            return Ok(BTreeMap::new());
        }
        let bytes = crate::text::read_at_most(&path, LARGEST_FILE)?;
        let (mut found, mut good) = (BTreeMap::new(), 0);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Ok(parsed) = serde_json::from_slice::<Line>(line) else { break };
            if !line.ends_with(b"\n") {
                break;
            }
            good += line.len();
            found.insert(parsed.number, parsed.record);
        }
        if good < bytes.len() {
            let file = std::fs::OpenOptions::new().write(true).open(&path).at(&path)?;
            file.set_len(good as u64).at(&path)?;
        }
        Ok(found)
    }

    /// Adds an answer.
    pub fn add(&self, kind: EngineKind, number: usize, record: &Record) -> Result<()> {
        let path = self.lines(kind);
        let line = Line { number, record: record.clone() };
        let mut text = serde_json::to_string(&line).map_err(|error| Error::internal(path.display(), error))?;
        text.push('\n');
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).at(&path)?;
        file.write_all(text.as_bytes()).at(&path)
    }

    /// Whether the float outputs of a question are kept.
    pub fn has_reference(&self, number: usize) -> bool {
        self.reference_file(number).is_file()
    }

    /// Keeps the float outputs of a question.
    pub fn keep_reference(&self, number: usize, outputs: &Outputs) -> Result<()> {
        let path = self.reference_file(number);
        let (features, logits) = (le_bytes(&outputs.features), le_bytes(&outputs.logits));
        let view = |bytes, count| TensorView::new(Dtype::F32, vec![count], bytes);
        let failed = |error: safetensors::SafeTensorError| Error::internal(path.display(), error);
        let tensors = [
            ("features", view(&features, outputs.features.len()).map_err(failed)?),
            ("logits", view(&logits, outputs.logits.len()).map_err(failed)?),
        ];
        let made = safetensors::serialize(tensors, None).map_err(failed)?;
        let partial = path.with_extension("partial");
        std::fs::write(&partial, made).at(&partial)?;
        std::fs::rename(&partial, &path).at(&path)
    }

    /// The float outputs of a question, if they are kept.
    pub fn reference(&self, number: usize) -> Result<Option<Outputs>> {
        if !self.has_reference(number) {
            return Ok(None);
        }
        let path = self.reference_file(number);
        let bytes = crate::text::read_at_most(&path, LARGEST_FILE)?;
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
