//! `run --dump-logits`: the logits of every step in a safetensors file.

use std::path::{Path, PathBuf};

use autoneural::engine::EngineKind;
use autoneural::engine::{Data, Tensor};
use autoneural::files;
use autoneural::host::{Limits, StepLogits, dtype_of};
use autoneural::runner::Model;
use autoneural::{Error, Result};
use safetensors::tensor::{TensorView, serialize};

/// Most bytes of a file; its tensors are in memory until it is written.
const LARGEST: u64 = 1 << 30;
/// Where no token was chosen.
const NONE: i32 = -1;

/// The file in the making.
pub struct LogitsFile {
    path: PathBuf,
    /// Most bytes that it may come to have.
    most: u64,
    tensors: Vec<(String, Tensor)>,
}

impl LogitsFile {
    /// For answers of these engines.
    pub fn new(path: &Path, kinds: &[EngineKind], model: &Model, limits: &Limits) -> Self {
        let language = &model.definition().language;
        // Chunks of a prompt, single tokens of it near the end of the context, and the answer's tokens.
        let of_prompt = language.context.div_ceil(language.prefill) + language.prefill;
        let steps = (limits.max_tokens.min(language.context) + of_prompt) as u64;
        // Float, and integers of 16 bits where there are such.
        let bytes = |kind: &EngineKind| if *kind == EngineKind::Float { 4 } else { 6 };
        let bytes: u64 = kinds.iter().map(bytes).sum();
        let most = steps * language.vocabulary as u64 * bytes;
        LogitsFile { path: path.to_path_buf(), most, tensors: vec![] }
    }

    /// Refuses logits that may take too much memory, before any question is asked.
    ///
    /// # Errors
    /// The logits may take more than [`LARGEST`] bytes.
    pub fn refuse_too_large(&self) -> Result<()> {
        if self.most <= LARGEST {
            return Ok(());
        }
        let (most, largest) = (autoneural::text::bytes(self.most), autoneural::text::bytes(LARGEST));
        let message = format!("may come to have {most}; at most {largest} are written");
        Err(Error::input(self.path.display(), message).help("ask for fewer tokens with --max-tokens, or fewer engines"))
    }

    /// Adds what an engine did: `fed` are all tokens that it took in.
    pub fn add(&mut self, kind: EngineKind, fed: &[u32], steps: Vec<StepLogits>) {
        let (count, vocabulary) = (steps.len(), steps.first().map_or(0, |step| step.real.len()));
        let list = |values: Vec<i32>| Tensor::i32(vec![values.len()], values);
        let numbers = |of: &dyn Fn(&StepLogits) -> usize| list(steps.iter().map(|step| of(step) as i32).collect());
        let chosen = |step: &StepLogits| step.chosen.map_or(NONE, |token| token as i32);
        let mut add = |name: &str, tensor| self.tensors.push((format!("{}.{name}", kind.name()), tensor));
        add("tokens", list(fed.iter().map(|&token| token as i32).collect()));
        add("position", numbers(&|step| step.position));
        add("count", numbers(&|step| step.tokens));
        add("chosen", list(steps.iter().map(chosen).collect()));
        let shape = vec![count, vocabulary];
        let codes = steps.iter().map(|step| &step.raw).fold(None, |all: Option<Data>, one| match (all, one) {
            (None, Data::F32(_)) => None,
            (None, one) => Some(one.clone()),
            (Some(Data::U8(mut all)), Data::U8(one)) => {
                all.extend(one);
                Some(Data::U8(all))
            }
            (Some(Data::U16(mut all)), Data::U16(one)) => {
                all.extend(one);
                Some(Data::U16(all))
            }
            (all, _) => all,
        });
        if let Some(data) = codes {
            add("codes", Tensor { shape: shape.clone(), data });
        }
        add("logits", Tensor::f32(shape, steps.into_iter().flat_map(|step| step.real).collect()));
    }

    /// Writes the logits as a safetensors file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(self) -> Result<()> {
        let failed = |error: safetensors::SafeTensorError| Error::internal(self.path.display(), error);
        let bytes: Vec<Vec<u8>> = self.tensors.iter().map(|(_, tensor)| tensor.data.to_le_bytes()).collect();
        let views = self.tensors.iter().zip(&bytes).map(|((name, tensor), bytes)| {
            Ok((name, TensorView::new(dtype_of(&tensor.data), tensor.shape.clone(), bytes).map_err(failed)?))
        });
        let made = serialize(views.collect::<Result<Vec<_>>>()?, None).map_err(failed)?;
        files::output(&self.path, &made)
    }
}
