//! The one way through a model's partitions: image, projector, prefill in chunks, decode. Float and integer engines
//! take the same steps; a codec says how numbers cross the borders.

use std::time::{Duration, Instant};

use super::sequence::step_tokens;
use super::{Codec, Sequence};
use autoneural_base::error::{Error, Result};
use autoneural_core::engine::{Engine, Tensor};
use autoneural_core::partition::Partition;
use autoneural_core::program::{Load, Step, Tokens, Visit};
use autoneural_core::quantize::Table;
use autoneural_front::{Component, DECODE, Definition, PREFILL};

/// Fewest tokens that prefill takes: for a single one decode does less.
pub const LEAST_FOR_PREFILL: usize = 2;

/// What the language model gets of an image, in float.
#[derive(Debug, Clone)]
pub struct Visual {
    /// Output of the vision encoder, `[1, visual tokens, channels]`.
    pub features: Tensor,
    /// Embeddings of the visual tokens, row-major.
    pub embeds: Vec<f32>,
}

/// Partitions with their engines, each loaded when it is first needed.
pub struct Steps<'a, E> {
    definition: &'a Definition,
    partitions: &'a [Partition],
    /// Encodings by partition; `None` if numbers cross as they are.
    tables: Option<&'a [Table]>,
    load: Box<Load<'a, E>>,
    engines: Vec<Option<E>>,
    loading: Duration,
}

impl<'a, E: Engine> Steps<'a, E> {
    /// Steps through these partitions.
    pub fn new(
        definition: &'a Definition,
        partitions: &'a [Partition],
        tables: Option<&'a [Table]>,
        load: Box<Load<'a, E>>,
    ) -> Self {
        let engines = partitions.iter().map(|_| None).collect();
        Steps { definition, partitions, tables, load, engines, loading: Duration::ZERO }
    }

    /// The model definition.
    pub fn definition(&self) -> &'a Definition {
        self.definition
    }

    /// Time spent on loading engines so far.
    pub fn loading(&self) -> Duration {
        self.loading
    }

    /// Drops the engines of images: they and those of the language model never need memory together.
    pub fn drop_image_engines(&mut self) {
        for (partition, engine) in self.partitions.iter().zip(&mut self.engines) {
            if partition.group != Component::Language.group() {
                *engine = None;
            }
        }
    }

    /// Drops the engine of a partition; it is loaded again where it is needed again.
    pub fn drop_engine(&mut self, name: &str) {
        for (partition, engine) in self.partitions.iter().zip(&mut self.engines) {
            if partition.name == name {
                *engine = None;
            }
        }
    }

    /// An empty sequence.
    ///
    /// # Errors
    /// The program has no graph for prefill.
    pub fn begin(&self) -> Result<Sequence<'a>> {
        Ok(Sequence::new(&self.definition.language, self.codec(self.find(PREFILL)?)))
    }

    /// Runs a preprocessed image, `[1,3,S,S]`, through the vision encoder and the projector.
    ///
    /// # Errors
    /// An engine cannot be loaded or fails, or `visit` fails.
    pub fn see(&mut self, image: &Tensor, visit: &mut Visit) -> Result<Visual> {
        let (vision, projector) = (self.find("vision")?, self.find("projector")?);
        let (pixels, at) = (&self.partitions[vision].inputs[0], (None, true));
        let image = image.encode(self.codec(vision).encoding(pixels)?)?;
        let features = self.run(vision, &[image], at, visit)?;
        let embeds = self.run(projector, &features, at, visit)?;
        let features = self.real(vision, 0, &features)?;
        Ok(Visual { features, embeds: self.real(projector, 0, &embeds)?.as_f32()?.to_vec() })
    }

    /// Takes in tokens by their embeddings, `[tokens, hidden]`, chunk by chunk. Returns the logits after the last one.
    ///
    /// # Errors
    /// The context is full, an engine cannot be loaded or fails, or `visit` fails.
    pub fn extend(&mut self, sequence: &mut Sequence<'a>, embeds: &[f32], visit: &mut Visit) -> Result<Vec<f32>> {
        let (mut logits, mut rest) = (Vec::new(), embeds);
        while !rest.is_empty() {
            (logits, rest) = self.advance(sequence, rest, visit)?;
        }
        Ok(logits)
    }

    /// Takes in the first tokens, as far as prefill takes them. Returns the logits after them, which are empty if
    /// prefill took none, and the embeddings that are left. Those need only decode.
    ///
    /// # Errors
    /// As for [`Steps::extend`].
    pub fn extend_by_chunks<'e>(
        &mut self,
        sequence: &mut Sequence<'a>,
        embeds: &'e [f32],
        visit: &mut Visit,
    ) -> Result<(Vec<f32>, &'e [f32])> {
        let (mut logits, mut rest) = (Vec::new(), embeds);
        while self.takes_chunk(sequence.position(), rest)? {
            (logits, rest) = self.advance(sequence, rest, visit)?;
        }
        Ok((logits, rest))
    }

    /// Whether prefill takes the next tokens; one token, or tokens too close to the end of the context for a whole
    /// chunk, are for decode.
    fn takes_chunk(&self, position: usize, embeds: &[f32]) -> Result<bool> {
        let language = &self.definition.language;
        let chunk = step_tokens(&self.partitions[self.find(PREFILL)?]);
        Ok(embeds.len() / language.hidden >= LEAST_FOR_PREFILL && position + chunk <= language.context)
    }

    /// Takes in as many tokens as one step can; gives the logits and what is left.
    fn advance<'e>(
        &mut self,
        sequence: &mut Sequence<'a>,
        embeds: &'e [f32],
        visit: &mut Visit,
    ) -> Result<(Vec<f32>, &'e [f32])> {
        let language = &self.definition.language;
        let by_chunk = self.takes_chunk(sequence.position(), embeds)?;
        let at = self.find(if by_chunk { PREFILL } else { DECODE })?;
        let partition = &self.partitions[at];
        let tokens = step_tokens(partition).min(embeds.len() / language.hidden);
        let (now, rest) = embeds.split_at(tokens * language.hidden);
        let position = sequence.position();
        let goes_on = !rest.is_empty() && self.takes_chunk(position + tokens, rest)? == by_chunk;
        let inputs = sequence.inputs(partition, now)?;
        let place = Some(Tokens { position, count: tokens });
        let outputs = self.run(at, &inputs, (place, !goes_on), visit)?;
        sequence.absorb(partition, &outputs, tokens)?;
        let logits = partition.outputs.iter().position(|port| port.meaning.main);
        let logits = logits.ok_or_else(|| Error::internal(&partition.name, "has no logits"))?;
        Ok((self.real(at, logits, &outputs)?.as_f32()?.to_vec(), rest))
    }

    fn run(
        &mut self,
        partition: usize,
        inputs: &[Tensor],
        (tokens, is_last): (Option<Tokens>, bool),
        visit: &mut Visit,
    ) -> Result<Vec<Tensor>> {
        let engine = match &mut self.engines[partition] {
            Some(engine) => engine,
            empty => {
                let begun = Instant::now();
                let loaded = (self.load)(&self.partitions[partition])?;
                self.loading += begun.elapsed();
                empty.insert(loaded)
            }
        };
        let outputs = engine.run(inputs)?;
        visit(Step { partition, inputs, outputs: &outputs, tokens, is_last, sample: 0 })?;
        Ok(outputs)
    }

    /// An output in float.
    fn real(&self, partition: usize, output: usize, outputs: &[Tensor]) -> Result<Tensor> {
        let encoding = self.codec(partition).encoding(&self.partitions[partition].outputs[output])?;
        Ok(outputs[output].decode(encoding))
    }

    fn codec(&self, partition: usize) -> Codec<'a> {
        self.tables.map_or(Codec::Float, |tables| Codec::Codes(&tables[partition]))
    }

    fn find(&self, name: &str) -> Result<usize> {
        let found = self.partitions.iter().position(|partition| partition.name == name);
        found.ok_or_else(|| Error::input(name, "this partition is missing"))
    }
}
