//! What a vision-language model is made of: a definition and a checkpoint.

use std::path::Path;

use super::export::export;
use super::samples::refuse_unfit;
use crate::drivers::{Source, memory};
use autoneural_base::error::Result;
use autoneural_base::progress::{Progress, Silent};
use autoneural_bundle::{Key, Making, Stage};
use autoneural_core::program::Program;
use autoneural_core::recipe::{Recipe, Sample};
use autoneural_core::target::Target;
use autoneural_front::{Checkpoint, Definition, DefinitionFile, Recorder, WeightsPlace, assemble, program};
use autoneural_host::{
    Asking, BESIDE_TOKENIZER, Chat, Found, Specials, TOKENIZER, Tokenizer, find_template, load_image,
};

/// A definition, and where the weights are.
pub struct Checkpointed<'a> {
    /// Model definition.
    pub definition: &'a DefinitionFile,
    /// Where the weights are.
    pub weights: &'a [WeightsPlace],
}

impl Source for Checkpointed<'_> {
    fn program(&self) -> Result<Program> {
        program(&self.definition.definition)
    }

    fn check(&self, bundle: &Making, recipe: &Recipe) -> Result<()> {
        refuse_unfit(&self.definition.definition, recipe)?;
        refuse_too_large(&self.definition.definition, &self.definition.path)?;
        check_samples(bundle, self.definition, self.weights, recipe)
    }

    fn export(
        &self,
        bundle: &mut Making,
        (target, target_text): (&Target, &str),
        progress: &dyn Progress,
    ) -> Result<()> {
        export(bundle, self.definition, self.weights, target, target_text, progress)
    }
}

/// Reads all samples of a recipe and decodes their images, so that a wrong one is told before hours of work and not
/// after.
///
/// # Errors
/// A definition, recipe, tokenizer, image or prompt that cannot be used, by file and sample.
fn check_samples(bundle: &Making, file: &DefinitionFile, weights: &[WeightsPlace], recipe: &Recipe) -> Result<()> {
    let DefinitionFile { text, definition, .. } = file;
    let beside = Checkpoint::open_all(weights)?.beside(definition)?;
    let samples: Vec<&Sample> = recipe.calibration.iter().chain(&recipe.verification).collect();
    let mut key = Key::new().and("definition", text).setting("samples", &(&samples, recipe.steps()));
    let words = [TOKENIZER].into_iter().chain(BESIDE_TOKENIZER).map(|name| beside.words.join(name));
    let images = samples.iter().flat_map(|sample| recipe.image_paths(sample));
    let texts = samples.iter().flat_map(|sample| sample.files().into_iter().map(|file| sample.beside(file)));
    // What is not there cannot be a reason to skip the check.
    for path in images.chain(texts).chain(words).filter(|path| path.is_file()) {
        key = key.and(&path.to_string_lossy(), bundle.hash_input(&path)?);
    }
    let Found { template, specials, .. } = find_template(&beside.words_first(), Stage::Calibrate.name())?;
    key = key.setting("template", &(template.as_ref().map(|template| &template.text), &specials));
    bundle.unit("check/samples", "", key, &Silent, |_| {
        let tokenizer = Tokenizer::read(&beside.words, definition)?;
        let texts = Specials { named: specials, ..tokenizer.specials()? };
        let asking = Asking::new(tokenizer, Chat::new(template, texts)?);
        for sample in samples {
            asking.tokens(definition, recipe, sample)?;
            for path in recipe.image_paths(sample) {
                let image = definition.seeing().and_then(|vision| load_image(&path, vision));
                image.map_err(|error| error.within(&sample.place))?;
            }
        }
        Ok(())
    })
}

/// Refuses a model that is too large to be calibrated here, before any work.
///
/// # Errors
/// The machine has less memory than its largest part needs, with both numbers.
pub(crate) fn refuse_too_large(definition: &Definition, place: &Path) -> Result<()> {
    let model = assemble(definition, &Recorder::new(definition, place))?.model;
    let vision = model.sight.as_ref().map(|sight| ("vision encoder", &sight.vision));
    let parts: Vec<_> = vision.into_iter().chain([("language model", &model.decode)]).collect();
    memory::refuse_too_large(&parts, place)
}
