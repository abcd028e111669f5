//! A sample's way through all partitions in float: image, projector, prefill in chunks, greedy decode.

use std::path::Path;

use super::{Asking, Embeddings, Sequence, Steps, best, load_image};
use autoneural_base::error::Result;
use autoneural_base::progress::Progress;
use autoneural_core::engine::Engine;
use autoneural_core::partition::Partition;
use autoneural_core::program::{Load, Step, Visit};
use autoneural_core::recipe::{Recipe, Sample};
use autoneural_front::{Definition, PREFILL};

/// Runs the images of samples. Returns for each sample the embeddings of its images, row-major.
///
/// # Errors
/// An image cannot be read, an engine cannot be loaded or fails, or `visit` fails.
pub fn see<E: Engine>(
    steps: &mut Steps<E>,
    recipe: &Recipe,
    samples: &[Sample],
    progress: &dyn Progress,
    visit: &mut Visit,
) -> Result<Vec<Vec<f32>>> {
    let mut visual = Vec::with_capacity(samples.len());
    for (number, sample) in samples.iter().enumerate() {
        let mut embeds = Vec::new();
        let mut visit = |step: Step| visit(Step { sample: number, ..step });
        for path in recipe.image_paths(sample) {
            let name = path.display().to_string();
            progress.begin(&name);
            let seen = steps
                .definition()
                .seeing()
                .and_then(|vision| load_image(&path, vision))
                .and_then(|image| steps.see(&image, &mut visit));
            embeds.extend(seen.map_err(|error| error.within(&sample.place))?.embeds);
            progress.tick(&name);
        }
        visual.push(embeds);
    }
    Ok(visual)
}

/// The float model with what the host needs around it. Engines for images are dropped before those for text come.
pub struct Walk<'a, E> {
    asking: Asking,
    embeddings: Embeddings,
    steps: Steps<'a, E>,
}

impl<'a, E: Engine> Walk<'a, E> {
    /// A walk through these partitions, with the tokenizer, chat template and embeddings in the folder `host_files`.
    ///
    /// # Errors
    /// A file of `host_files` is missing, unreadable or does not fit the definition.
    pub fn new(
        definition: &'a Definition,
        partitions: &'a [Partition],
        host_files: &Path,
        load: Box<Load<'a, E>>,
    ) -> Result<Self> {
        let asking = Asking::read(host_files, definition)?;
        let embeddings = Embeddings::read(&host_files.join(Embeddings::FILE), &definition.language)?;
        Ok(Walk { asking, embeddings, steps: Steps::new(definition, partitions, None, load) })
    }

    /// The embedding table.
    pub fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }

    /// The tokens of all samples' prompts.
    ///
    /// # Errors
    /// A prompt that does not fit, by sample.
    pub fn prompts(&self, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<Vec<u32>>> {
        let definition = self.steps.definition();
        samples.iter().map(|sample| self.asking.tokens(definition, recipe, sample)).collect()
    }

    /// Runs all samples: first their images, then their prompts and as many decode steps as the recipe says. Prompts
    /// are left out where `with_text` is false.
    ///
    /// # Errors
    /// A prompt cannot be made or is too long, an image cannot be read, an engine cannot be loaded or fails, or `visit`
    /// fails.
    pub fn samples(
        &mut self,
        stage: &str,
        recipe: &Recipe,
        samples: &[Sample],
        with_text: bool,
        progress: &dyn Progress,
        visit: &mut Visit,
    ) -> Result<()> {
        // Prompts are made first, so that a wrong one does not stop the run late.
        let prompts = self.prompts(recipe, samples)?;
        let images: usize = samples.iter().map(|sample| sample.images.len()).sum();
        let texts = if with_text { Self::text_steps(samples) } else { 0 };
        progress.start(stage, images as u64 + texts);
        let visual = see(&mut self.steps, recipe, samples, progress, visit)?;
        self.steps.drop_image_engines();
        if with_text {
            self.read(recipe, samples, &prompts, &visual, progress, visit)?;
        }
        progress.finish();
        Ok(())
    }

    /// Steps of progress that [`Walk::read`] makes.
    pub fn text_steps(samples: &[Sample]) -> u64 {
        2 * samples.len() as u64
    }

    /// Runs the samples' prompts with the embeddings of their images: first prefill for all of them, then decode for
    /// the rest and for the tokens that the model chooses. So prefill and decode are never in memory together.
    ///
    /// # Errors
    /// As for [`Walk::samples`].
    pub fn read(
        &mut self,
        recipe: &Recipe,
        samples: &[Sample],
        prompts: &[Vec<u32>],
        visual: &[Vec<f32>],
        progress: &dyn Progress,
        visit: &mut Visit,
    ) -> Result<()> {
        let image = self.steps.definition().language.tokens.image;
        let mut begun = Vec::with_capacity(samples.len());
        for (number, ((sample, tokens), visual)) in samples.iter().zip(prompts).zip(visual).enumerate() {
            progress.begin(sample.title());
            let mut visit = |step: Step| visit(Step { sample: number, ..step });
            let chunks = || -> Result<Begun<'a>> {
                let embeds = self.embeddings.look_up(tokens, image, visual)?;
                let mut sequence = self.steps.begin()?;
                let (logits, rest) = self.steps.extend_by_chunks(&mut sequence, &embeds, &mut visit)?;
                Ok(Begun { sequence, logits, rest: rest.to_vec() })
            };
            begun.push({ chunks }().map_err(|error| error.within(&sample.place))?);
            progress.tick(sample.title());
        }
        self.steps.drop_engine(PREFILL);
        for (number, (sample, begun)) in samples.iter().zip(begun).enumerate() {
            progress.begin(sample.title());
            let mut visit = |step: Step| visit(Step { sample: number, ..step });
            self.follow(begun, recipe.steps(), &mut visit).map_err(|error| error.within(&sample.place))?;
            progress.tick(sample.title());
        }
        Ok(())
    }

    /// Takes in what is left of a prompt and the tokens that the model chooses behind it.
    fn follow(&mut self, begun: Begun<'a>, decode_steps: usize, visit: &mut Visit) -> Result<()> {
        let special = &self.steps.definition().language.tokens;
        let Begun { mut sequence, mut logits, rest } = begun;
        if !rest.is_empty() {
            logits = self.steps.extend(&mut sequence, &rest, visit)?;
        }
        for _ in 0..decode_steps {
            let token = best(&logits);
            if special.stops(token) {
                break;
            }
            let row = self.embeddings.look_up(&[token], special.image, &[])?;
            logits = self.steps.extend(&mut sequence, &row, visit)?;
        }
        Ok(())
    }
}

/// A prompt of which prefill has taken in what it can.
struct Begun<'a> {
    sequence: Sequence<'a>,
    /// Logits behind the last chunk; empty if there was none.
    logits: Vec<f32>,
    /// Embeddings of the tokens that are left.
    rest: Vec<f32>,
}
