//! Making golden vectors.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{TensorView, serialize};

use super::record::{EngineRecord, FILE, PictureRecord, Record, SCHEMA, StepRecord, TENSORS, TensorRecord};
use autoneural_base::error::{Error, Result};
use autoneural_base::json::write_json;
use autoneural_base::progress::Progress;
use autoneural_core::partition::Partition;
use autoneural_core::program::{Load, Step};
use autoneural_core::quantize::Table;
use autoneural_engines::engine::{Data, Engine, EngineKind, Tensor};
use autoneural_front::{DECODE, Definition, PREFILL};
use autoneural_host::{Embeddings, Steps, Stop, best, dtype_of, load_square, normalized};

/// Largest tensor that is kept; of a larger one there is the hash alone.
const LARGEST: usize = 4 << 20;
/// Decode steps whose integers are kept.
const DECODE_STEPS: usize = 3;

/// What golden vectors are made of.
pub struct Case<'a> {
    /// The model.
    pub definition: &'a Definition,
    /// Its partitions.
    pub partitions: &'a [Partition],
    /// Their encodings.
    pub tables: &'a [Table],
    /// The embedding table.
    pub embeddings: &'a Embeddings,
    /// The prompt's text.
    pub prompt: &'a str,
    /// Its tokens.
    pub tokens: &'a [u32],
    /// Files of its pictures: the name in the recipe, the place, the SHA-256.
    pub pictures: &'a [(String, std::path::PathBuf, String)],
    /// Most tokens of the answer.
    pub most: usize,
}

/// Golden vectors with the tensors that are kept.
pub struct Golden {
    /// The steps.
    pub record: Record,
    tensors: BTreeMap<String, Tensor>,
    /// Names of tensors that are kept, by type, shape and hash.
    known: BTreeMap<(String, Vec<usize>, String), String>,
}

/// Makes golden vectors on engines, one after the other; `load` loads a partition on an engine.
///
/// # Errors
/// A picture that cannot be read, an engine that fails.
pub fn make<'a, E: Engine>(
    what: &Case<'a>,
    engines: &[EngineKind],
    load: impl Fn(EngineKind) -> Box<Load<'a, E>>,
    progress: &dyn Progress,
) -> Result<Golden> {
    let record = Record {
        schema: SCHEMA,
        prompt: what.prompt.to_string(),
        tokens: what.tokens.to_vec(),
        pictures: vec![],
        engines: vec![],
    };
    let mut golden = Golden { record, tensors: BTreeMap::new(), known: BTreeMap::new() };
    let mut images = Vec::new();
    for (number, (path, place, sha256)) in what.pictures.iter().enumerate() {
        let vision = what.definition.seeing()?;
        let square = load_square(place, vision)?;
        images.push(normalized(&square, vision));
        let side = vision.image_size();
        let pixels = Tensor { shape: vec![side, side, 3], data: Data::U8(square) };
        let pixels = golden.keep(&format!("picture.{number}"), "pixels", &pixels, number == 0);
        golden.record.pictures.push(PictureRecord { path: path.clone(), sha256: sha256.clone(), pixels });
    }
    progress.start("verify golden", engines.len() as u64);
    for &engine in engines {
        progress.begin(engine.name());
        let made = golden.follow(what, engine, load(engine), &images)?;
        golden.record.engines.push(made);
        progress.tick(engine.name());
    }
    progress.finish();
    Ok(golden)
}

impl Golden {
    /// One engine's way through the prompt, and its answer.
    fn follow<'a, E: Engine>(
        &mut self,
        what: &Case<'a>,
        engine: EngineKind,
        load: Box<Load<'a, E>>,
        images: &[Tensor],
    ) -> Result<EngineRecord> {
        let (language, partitions) = (&what.definition.language, what.partitions);
        let mut taken = Steps::new(what.definition, partitions, Some(what.tables), load);
        let (mut steps, mut visual, mut answer) = (Vec::new(), Vec::new(), Vec::new());
        let mut fed = what.tokens.to_vec();
        for image in images {
            visual.extend(taken.see(image, &mut |step| self.note(engine, partitions, &step, &fed, &mut steps))?.embeds);
        }
        taken.drop_image_engines();
        let embeds = what.embeddings.look_up(what.tokens, language.tokens.image, &visual)?;
        let mut sequence = taken.begin()?;
        let mut visit = |step: Step| self.note(engine, partitions, &step, &fed, &mut steps);
        let (mut logits, rest) = taken.extend_by_chunks(&mut sequence, &embeds, &mut visit)?;
        taken.drop_engine(PREFILL);
        if !rest.is_empty() {
            logits = taken.extend(&mut sequence, rest, &mut visit)?;
        }
        let stop = loop {
            let token = best(&logits);
            if language.tokens.stops(token) {
                break Stop::Eos;
            }
            if answer.len() == what.most {
                break Stop::MaxTokens;
            }
            answer.push(token);
            if sequence.position() == language.context {
                break Stop::Context;
            }
            fed.push(token);
            let row = what.embeddings.look_up(&[token], language.tokens.image, &[])?;
            let mut visit = |step: Step| self.note(engine, partitions, &step, &fed, &mut steps);
            logits = taken.extend(&mut sequence, &row, &mut visit)?;
        };
        Ok(EngineRecord { engine, steps, answer, stop })
    }

    /// Notes one run; `fed` are the tokens of the sequence so far and those of the step.
    fn note(
        &mut self,
        engine: EngineKind,
        partitions: &[Partition],
        step: &Step,
        fed: &[u32],
        steps: &mut Vec<StepRecord>,
    ) -> Result<()> {
        let partition = &partitions[step.partition];
        let tokens = step.tokens.map_or((0, 0), |tokens| (tokens.position, tokens.count));
        let before = steps.iter().filter(|other| other.partition == partition.name).count();
        let is_kept = match partition.name.as_str() {
            PREFILL => tokens.0 == 0 || step.is_last,
            DECODE => before < DECODE_STEPS,
            _ => before == 0,
        };
        let name = format!("{}.{before}", partition.name);
        let place = format!("{}.{name}", engine.name());
        let mut noted =
            |ports: &[autoneural_core::partition::Port], tensors: &[Tensor], with_state: bool| -> Vec<TensorRecord> {
                let one = |(port, tensor): (&autoneural_core::partition::Port, &Tensor)| {
                    self.keep(&place, &port.name, tensor, is_kept && (with_state || port.meaning.state.is_none()))
                };
                ports.iter().zip(tensors).map(one).collect()
            };
        let inputs = noted(&partition.inputs, step.inputs, false);
        let outputs = noted(&partition.outputs, step.outputs, true);
        let logits = partition.outputs.iter().position(|port| port.meaning.main);
        steps.push(StepRecord {
            name,
            partition: partition.name.clone(),
            position: tokens.0,
            tokens: fed[tokens.0..tokens.0 + tokens.1].to_vec(),
            best: logits.map(|at| largest(&step.outputs[at].data)).transpose()?,
            inputs,
            outputs,
        });
        Ok(())
    }

    /// Notes a tensor, and keeps it if it is wanted and not too large.
    fn keep(&mut self, place: &str, name: &str, tensor: &Tensor, is_kept: bool) -> TensorRecord {
        let bytes = tensor.data.to_le_bytes();
        let mut record = TensorRecord::of(name, tensor, &bytes);
        if is_kept && bytes.len() <= LARGEST {
            let key = (record.dtype.clone(), record.shape.clone(), record.sha256.clone());
            let stored = self.known.entry(key).or_insert_with(|| {
                let stored = format!("{place}/{name}");
                self.tensors.insert(stored.clone(), tensor.clone());
                stored
            });
            record.stored = Some(stored.clone());
        }
        record
    }

    /// Writes both files into a folder.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let place = |name: &str| folder.join(Path::new(name).file_name().unwrap_or_default());
        let path = place(TENSORS);
        let failed = |error: safetensors::SafeTensorError| Error::internal(path.display(), error);
        let bytes: Vec<Vec<u8>> = self.tensors.values().map(|tensor| tensor.data.to_le_bytes()).collect();
        let views = self.tensors.iter().zip(&bytes).map(|((name, tensor), bytes)| {
            Ok((name, TensorView::new(dtype_of(&tensor.data), tensor.shape.clone(), bytes).map_err(failed)?))
        });
        let made = serialize(views.collect::<Result<Vec<_>>>()?, None).map_err(failed)?;
        autoneural_base::files::write(&path, &made)?;
        write_json(&self.record, &place(FILE))
    }
}

/// The first of the largest logits. Integers of one scale are ordered as what they stand for.
fn largest(codes: &Data) -> Result<u32> {
    let first = |codes: &mut dyn Iterator<Item = u32>| {
        codes.enumerate().fold((0, None), |(at, most), (index, code)| match most {
            Some(most) if code <= most => (at, Some(most)),
            _ => (index as u32, Some(code)),
        })
    };
    match codes {
        Data::U8(codes) => Ok(first(&mut codes.iter().map(|&code| code.into())).0),
        Data::U16(codes) => Ok(first(&mut codes.iter().map(|&code| code.into())).0),
        other => Err(Error::internal("logits", format!("are {}, not integers", other.kind()))),
    }
}
