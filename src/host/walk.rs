//! A sample's way through all partitions in float: image, projector, prefill in chunks, greedy decode.

use std::path::Path;

use super::{Embeddings, Load, Steps, Tokenizer, Visit, best, load_image};
use crate::engine::Engine;
use crate::error::Result;
use crate::front::Definition;
use crate::partition::Partition;
use crate::progress::Progress;
use crate::recipe::{Recipe, Sample};

/// Runs the images of samples; gives for each sample the embeddings of its images, row-major.
pub fn see<E: Engine>(
    steps: &mut Steps<E>,
    recipe: &Recipe,
    samples: &[Sample],
    progress: &dyn Progress,
    visit: &mut Visit,
) -> Result<Vec<Vec<f32>>> {
    let mut visual = Vec::with_capacity(samples.len());
    for sample in samples {
        let mut embeds = Vec::new();
        for path in recipe.image_paths(sample) {
            let name = path.display().to_string();
            progress.begin(&name);
            let seen = load_image(&path, &steps.definition().vision).and_then(|image| steps.see(&image, visit));
            embeds.extend(seen.map_err(|error| error.within(&sample.place))?.embeds);
            progress.tick(&name);
        }
        visual.push(embeds);
    }
    Ok(visual)
}

/// The float model with what the host needs around it. Engines for images are dropped before those for text come.
pub struct Walk<'a, E> {
    tokenizer: Tokenizer,
    embeddings: Embeddings,
    steps: Steps<'a, E>,
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
        Ok(Walk { tokenizer, embeddings, steps: Steps::new(definition, partitions, None, load) })
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
        samples.iter().map(|sample| self.tokenizer.sample(definition, recipe, sample)).collect()
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
        let prompts = self.prompts(recipe, samples)?;
        let images: usize = samples.iter().map(|sample| sample.images.len()).sum();
        progress.start(stage, (images + samples.len()) as u64);
        let visual = see(&mut self.steps, recipe, samples, progress, visit)?;
        self.steps.drop_image_engines();
        self.read(recipe, samples, &prompts, &visual, progress, visit)?;
        progress.finish();
        Ok(())
    }

    /// Runs the samples' prompts, with the embeddings of their images.
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
        for ((sample, tokens), visual) in samples.iter().zip(prompts).zip(visual) {
            progress.begin(&sample.prompt);
            let embeds = self.embeddings.look_up(tokens, image, visual);
            embeds
                .and_then(|embeds| self.follow(&embeds, recipe.decode_steps, visit))
                .map_err(|error| error.within(&sample.place))?;
            progress.tick(&sample.prompt);
        }
        Ok(())
    }

    /// Takes in a prompt and the tokens that the model chooses behind it.
    fn follow(&mut self, embeds: &[f32], decode_steps: usize, visit: &mut Visit) -> Result<()> {
        let special = &self.steps.definition().language.tokens;
        let mut sequence = self.steps.begin()?;
        let mut logits = self.steps.extend(&mut sequence, embeds, visit)?;
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
