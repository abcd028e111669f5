//! What golden vectors are in files: their names, their format.

use serde::{Deserialize, Serialize};

use autoneural_engines::engine::{Data, EngineKind, Tensor};
use autoneural_host::Stop;

/// File of the steps in a bundle.
pub const FILE: &str = "golden/golden.json";
/// File of the tensors in a bundle.
pub const TENSORS: &str = "golden/tensors.safetensors";
/// Version of the format of [`FILE`].
pub const SCHEMA: u32 = 1;

/// Golden vectors: the contents of [`FILE`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this format.
    pub schema: u32,
    /// What the recipe's sample says, for a person; the tokens are those of the whole prompt.
    pub prompt: String,
    /// Tokens of the prompt, with one image token for each visual token.
    pub tokens: Vec<u32>,
    /// The pictures, in order.
    pub pictures: Vec<PictureRecord>,
    /// What each engine made of it.
    pub engines: Vec<EngineRecord>,
}

impl Record {
    /// What a host may do wrong although it meets these vectors, a line each: their prompt does not come to it.
    pub fn not_covered(&self) -> Vec<&'static str> {
        let prefills =
            |engine: &EngineRecord| engine.steps.iter().filter(|step| step.partition == "language.prefill").count();
        let mut made = Vec::new();
        if self.pictures.len() < 2 {
            made.push("the order of several pictures: the prompt has fewer than two");
        }
        if self.engines.iter().all(|engine| prefills(engine) < 2) {
            made.push("the state that prefill goes on from: the prompt fits into one chunk");
        }
        made
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PictureRecord {
    /// Its file as the recipe names it.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its pixels at the size of the input, `[height, width, 3]`: red, green, blue, 8 bits each.
    pub pixels: TensorRecord,
}

/// One engine's way through the prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineRecord {
    /// The engine: `simulated` or `npu`.
    pub engine: EngineKind,
    /// The steps in order.
    pub steps: Vec<StepRecord>,
    /// Tokens of the answer.
    pub answer: Vec<u32>,
    /// Why it ended.
    pub stop: Stop,
}

/// One run of one partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Name of the partition and a number that counts its steps from 0: `language.decode.0`.
    pub name: String,
    /// The partition.
    pub partition: String,
    /// Tokens of the sequence before the step.
    pub position: usize,
    /// The tokens that the step takes in, image tokens among them; none outside the language model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// The token with the largest logit behind the step; of the language model alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<u32>,
    /// What goes in.
    pub inputs: Vec<TensorRecord>,
    /// What comes out.
    pub outputs: Vec<TensorRecord>,
}

/// A tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorRecord {
    /// Name of the port.
    pub name: String,
    /// Its integers.
    pub dtype: String,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// SHA-256 of the integers, row by row, low byte first, in hexadecimal.
    pub sha256: String,
    /// The integer that all elements are, if they are all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<i64>,
    /// Name under which [`TENSORS`] has it, if it does. Equal tensors are there once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
}

impl TensorRecord {
    /// That of a tensor with these bytes, which is stored nowhere yet.
    pub fn of(name: &str, tensor: &Tensor, bytes: &[u8]) -> Self {
        TensorRecord {
            name: name.to_string(),
            dtype: tensor.data.kind().to_string(),
            shape: tensor.shape.clone(),
            sha256: autoneural_bundle::hash_bytes(bytes),
            all: only(&tensor.data),
            stored: None,
        }
    }
}

/// The integer that all elements are.
fn only(data: &Data) -> Option<i64> {
    fn same<T: Copy + PartialEq + Into<i64>>(codes: &[T]) -> Option<i64> {
        let (&first, rest) = codes.split_first()?;
        rest.iter().all(|code| *code == first).then(|| first.into())
    }
    match data {
        Data::F32(_) => None,
        Data::U8(codes) => same(codes),
        Data::U16(codes) => same(codes),
        Data::I32(codes) => same(codes),
    }
}
