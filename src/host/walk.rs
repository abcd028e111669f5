//! A sample's way through all partitions in float: image, projector, prefill in chunks, greedy decode.

use std::path::Path;

use super::sequence::step_tokens;
use super::{Codec, Embeddings, Sequence, Tokenizer, load_image};
use crate::engine::{Engine, Tensor};
use crate::error::{Error, Result};
use crate::front::Definition;
use crate::partition::{Partition, Role};
use crate::progress::Progress;
use crate::recipe::{Recipe, Sample};

/// One run of one partition.
pub struct Step<'a> {
    /// Position of the partition.
    pub partition: usize,
    /// What went in, in float.
    pub inputs: &'a [Tensor],
    /// What came out, in float.
    pub outputs: &'a [Tensor],
    /// Tokens of the step that count; the rest is padding. 1 outside the language model.
    pub tokens: usize,
    /// Tokens of the sequence before the step; 0 outside the language model.
    pub position: usize,
}

/// Called after every run.
pub type Visit<'v> = dyn FnMut(Step) -> Result<()> + 'v;

/// Loads the float engine of a partition.
pub type Load<'a, E> = dyn FnMut(&Partition) -> Result<E> + 'a;

/// The float model with what the host needs around it. Engines are loaded when they are first needed, those for images
/// are dropped before those for text come: the two never take memory together.
pub struct Walk<'a, E> {
    definition: &'a Definition,
    partitions: &'a [Partition],
    tokenizer: Tokenizer,
    embeddings: Embeddings,
    load: Box<Load<'a, E>>,
    engines: Vec<Option<E>>,
}

impl<'a, E: Engine> Walk<'a, E> {
    /// A walk through these partitions with the tokenizer and the embeddings of `host_files`.
    pub fn new(
        definition: &'a Definition,
        partitions: &'a [Partition],
        host_files: &Path,
        load: Box<Load<'a, E>>,
    ) -> Result<Self> {
        let tokenizer = Tokenizer::read(host_files, definition)?;
        let embeddings = Embeddings::read(&host_files.join(Embeddings::FILE), &definition.language)?;
        let engines = partitions.iter().map(|_| None).collect();
        Ok(Walk { definition, partitions, tokenizer, embeddings, load, engines })
    }

    /// The embedding table.
    pub fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }

    /// Runs all samples: first their images, then their prompts and as many decode steps as the recipe says.
    pub fn samples(
        &mut self,
        stage: &str,
        recipe: &Recipe,
        samples: &[Sample],
        progress: &dyn Progress,
        visit: &mut Visit,
    ) -> Result<()> {
        // What would stop the run late is looked at first.
        let prompts = samples
            .iter()
            .map(|sample| self.tokenizer.sample(self.definition, recipe, sample))
            .collect::<Result<Vec<_>>>()?;
        let images = samples.iter().filter(|sample| sample.image.is_some()).count();
        progress.start(stage, (images + samples.len()) as u64);
        let mut visual = Vec::with_capacity(samples.len());
        for sample in samples {
            let Some(path) = recipe.image_path(sample) else {
                visual.push(vec![]);
                continue;
            };
            let name = path.display().to_string();
            progress.begin(&name);
            visual.push(self.image(&path, visit).map_err(|error| error.within(&sample.place))?);
            progress.tick(&name);
        }
        self.engines.iter_mut().for_each(|engine| *engine = None);
        for ((sample, tokens), visual) in samples.iter().zip(&prompts).zip(&visual) {
            progress.begin(&sample.prompt);
            let embeds = self.embeddings.look_up(tokens, self.definition.language.tokens.image, visual);
            embeds
                .and_then(|embeds| self.generate(&embeds, recipe.decode_steps, visit))
                .map_err(|error| error.within(&sample.place))?;
            progress.tick(&sample.prompt);
        }
        progress.finish();
        Ok(())
    }

    /// Embeddings of an image's visual tokens.
    fn image(&mut self, path: &Path, visit: &mut Visit) -> Result<Vec<f32>> {
        let image = load_image(path, &self.definition.vision)?;
        let features = self.run(self.find("vision")?, &[image], (0, 1), visit)?;
        let embeds = self.run(self.find("projector")?, &features, (0, 1), visit)?;
        Ok(embeds[0].as_f32()?.to_vec())
    }

    fn find(&self, name: &str) -> Result<usize> {
        let found = self.partitions.iter().position(|partition| partition.name == name);
        found.ok_or_else(|| Error::input(name, "this partition is missing"))
    }

    fn run(
        &mut self,
        partition: usize,
        inputs: &[Tensor],
        (position, tokens): (usize, usize),
        visit: &mut Visit,
    ) -> Result<Vec<Tensor>> {
        let engine = match &mut self.engines[partition] {
            Some(engine) => engine,
            empty => empty.insert((self.load)(&self.partitions[partition])?),
        };
        let outputs = engine.run(inputs)?;
        visit(Step { partition, inputs, outputs: &outputs, tokens, position })?;
        Ok(outputs)
    }

    fn generate(&mut self, embeds: &[f32], decode_steps: usize, visit: &mut Visit) -> Result<()> {
        let language = &self.definition.language;
        let mut sequence = Sequence::new(language, Codec::Float);
        let mut logits = Vec::new();
        let mut rest = embeds;
        while !rest.is_empty() {
            let left = rest.len() / language.hidden;
            (logits, rest) = self.advance(&mut sequence, rest, left, visit)?;
        }
        for _ in 0..decode_steps {
            let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(at, _)| at as u32);
            // The model may name the image token; it has no text row of its own, so the sequence ends there.
            if best == language.tokens.eos || best == language.tokens.image {
                break;
            }
            let row = self.embeddings.look_up(&[best], language.tokens.image, &[])?;
            (logits, _) = self.advance(&mut sequence, &row, 1, visit)?;
        }
        Ok(())
    }

    /// Takes in as many of the `left` tokens as one step can; gives the logits and what is left.
    fn advance<'e>(
        &mut self,
        sequence: &mut Sequence,
        embeds: &'e [f32],
        left: usize,
        visit: &mut Visit,
    ) -> Result<(Vec<f32>, &'e [f32])> {
        let language = &self.definition.language;
        let prefill = self.find("language.prefill")?;
        let chunk = step_tokens(&self.partitions[prefill]);
        // One token, or too close to the end of the context for a whole chunk: decode.
        let fits = sequence.position() + chunk <= language.context;
        let (at, count) =
            if left > 1 && fits { (prefill, left.min(chunk)) } else { (self.find("language.decode")?, 1) };
        let (now, rest) = embeds.split_at(count * language.hidden);
        let partition = &self.partitions[at];
        let inputs = sequence.inputs(partition, now)?;
        let outputs = self.run(at, &inputs, (sequence.position(), count), visit)?;
        sequence.absorb(partition, &outputs, count);
        let logits = partition.outputs.iter().position(|port| port.role == Role::Logits);
        let logits = logits.ok_or_else(|| Error::internal(&partition.name, "has no logits"))?;
        Ok((outputs[logits].as_f32()?.to_vec(), rest))
    }
}
