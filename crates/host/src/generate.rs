//! Text from a model: tokens go in, logits come out, and the next token is chosen from them. The same for every engine.

use std::time::Duration;

use super::{Embeddings, Sampler, Sequence, Steps, Visual};
use autoneural_base::error::{Error, Result};
use autoneural_core::engine::{Data, Engine, Tensor};
use autoneural_core::partition::Partition;
use autoneural_core::program::{Load, Step, Tokens};
use autoneural_core::quantize::Table;
use autoneural_front::Definition;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// The model ended it.
    Eos,
    /// It has as many tokens as it may have.
    MaxTokens,
    /// The context is full.
    Context,
}

/// A sequence that an engine has taken in: its tokens, its state, and the logits behind its last token.
pub struct Generation<'a> {
    sequence: Sequence<'a>,
    tokens: Vec<u32>,
    logits: Vec<f32>,
}

impl Generation<'_> {
    /// The tokens taken in so far.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Scores of every token of the vocabulary as the next one, in float. Empty before the first token.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }
}

/// The logits of one step.
#[derive(Debug, Clone)]
pub struct StepLogits {
    /// Tokens of the sequence before the step.
    pub position: usize,
    /// Tokens that the step took in.
    pub tokens: usize,
    /// The logits as they left the engine: integers, or float.
    pub raw: Data,
    /// The numbers that they stand for.
    pub real: Vec<f32>,
    /// The token that was chosen by them; `None` within a prompt.
    pub chosen: Option<u32>,
}

/// A model on one engine: float, or with integers at every border. Engines are loaded when they are first needed.
pub struct Generator<'a> {
    embeddings: &'a Embeddings,
    partitions: &'a [Partition],
    tables: Option<&'a [Table]>,
    steps: Steps<'a, Box<dyn Engine>>,
    /// The logits of every step, if they are kept.
    kept: Option<Vec<StepLogits>>,
}

impl<'a> Generator<'a> {
    /// A generator through these partitions. Without `tables` numbers cross the borders in float, with them as
    /// integers.
    pub fn new(
        definition: &'a Definition,
        partitions: &'a [Partition],
        tables: Option<&'a [Table]>,
        embeddings: &'a Embeddings,
        load: Box<Load<'a, Box<dyn Engine>>>,
    ) -> Self {
        let steps = Steps::new(definition, partitions, tables, load);
        Generator { embeddings, partitions, tables, steps, kept: None }
    }

    /// Keeps the logits of every step from now on.
    pub fn keep_logits(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// The logits that were kept, which are not kept any longer.
    pub fn take_logits(&mut self) -> Vec<StepLogits> {
        self.kept.take().unwrap_or_default()
    }

    /// The model definition.
    pub fn definition(&self) -> &'a Definition {
        self.steps.definition()
    }

    /// Features and embeddings of a preprocessed image ([`super::load_image`]), as real numbers.
    ///
    /// # Errors
    /// An engine cannot be loaded or fails.
    pub fn see(&mut self, image: &Tensor) -> Result<Visual> {
        self.steps.see(image, &mut |_| Ok(()))
    }

    /// Drops the engines of images; the next image loads them again.
    pub fn drop_image_engines(&mut self) {
        self.steps.drop_image_engines();
    }

    /// Time spent on loading engines so far.
    pub fn loading(&self) -> Duration {
        self.steps.loading()
    }

    /// A sequence without tokens.
    ///
    /// # Errors
    /// The model has no graph for prefill.
    pub fn begin(&self) -> Result<Generation<'a>> {
        Ok(Generation { sequence: self.steps.begin()?, tokens: Vec::new(), logits: Vec::new() })
    }

    /// Takes in tokens behind those of the sequence: a whole prompt, or one token that the caller has chosen. Image
    /// tokens take their embeddings from `visual` in order.
    ///
    /// # Errors
    /// More tokens than the context has room for, or another number of image tokens than of visual rows; the sequence
    /// is as before. An engine that fails; the sequence is of no more use.
    pub fn extend(&mut self, generation: &mut Generation<'a>, tokens: &[u32], visual: &[f32]) -> Result<()> {
        let language = &self.definition().language;
        refuse_too_long(generation.tokens.len() + tokens.len(), language.context)?;
        let embeds = self.embeddings.look_up(tokens, language.tokens.image, visual)?;
        let Generator { partitions, tables, steps, kept, .. } = self;
        let mut visit = |step: Step| match kept {
            Some(kept) => logits_of(partitions, *tables, &step).map(|logits| kept.extend(logits)),
            None => Ok(()),
        };
        let logits = steps.extend(&mut generation.sequence, &embeds, &mut visit)?;
        if !tokens.is_empty() {
            generation.logits = logits;
            generation.tokens.extend_from_slice(tokens);
        }
        Ok(())
    }

    /// Chooses tokens that continue the sequence until one ends the answer, `most` are chosen, or the context is full.
    /// `said` is called with each token as it comes, except for the one that ends the answer.
    ///
    /// # Errors
    /// An engine cannot be loaded or fails, or `said` fails.
    pub fn answer(
        &mut self,
        generation: &mut Generation<'a>,
        sampler: &mut Sampler,
        most: usize,
        said: &mut dyn FnMut(u32) -> Result<()>,
    ) -> Result<Stop> {
        let language = &self.definition().language;
        for count in 1.. {
            let token = sampler.pick(&generation.logits);
            if let Some(step) = self.kept.as_mut().and_then(|kept| kept.last_mut()) {
                step.chosen = Some(token);
            }
            if language.tokens.stops(token) {
                return Ok(Stop::Eos);
            }
            said(token)?;
            if count >= most {
                break;
            }
            if generation.tokens.len() == language.context {
                return Ok(Stop::Context);
            }
            self.extend(generation, &[token], &[])?;
        }
        Ok(Stop::MaxTokens)
    }
}

fn logits_of(partitions: &[Partition], tables: Option<&[Table]>, step: &Step) -> Result<Option<StepLogits>> {
    let partition = &partitions[step.partition];
    let found = partition.outputs.iter().zip(step.outputs).find(|(port, _)| port.meaning.main);
    let Some((port, tensor)) = found else { return Ok(None) };
    let Some(Tokens { position, count }) = step.tokens else { return Ok(None) };
    let encoding = tables.map(|tables| tables[step.partition].activation(&port.name)).transpose()?;
    let real = tensor.decode(encoding).as_f32()?.to_vec();
    Ok(Some(StepLogits { position, tokens: count, raw: tensor.data.clone(), real, chosen: None }))
}

/// Refuses a prompt that the context cannot hold.
///
/// # Errors
/// The prompt has more tokens than the context.
pub fn refuse_too_long(tokens: usize, context: usize) -> Result<()> {
    if tokens <= context {
        return Ok(());
    }
    Err(Error::input("prompt", format!("has {tokens} tokens with its images; the context holds {context}"))
        .help("shorten the text, give fewer images, or begin a new conversation"))
}
