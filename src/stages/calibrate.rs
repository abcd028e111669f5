//! Calibrate: samples become statistics.

use std::path::Path;

use crate::back::bundle::{Bundle, Stage, write_json};
use crate::error::{IoContext, Result};
use crate::front::Definition;
use crate::host::{Tokenizer, load_image};
use crate::progress::Progress;
use crate::recipe::Recipe;

/// Reads all samples of a recipe and decodes their images, so that a wrong one is told before hours of work and not after.
///
/// # Errors
/// A definition, recipe, tokenizer, image or prompt that cannot be used, by file and sample.
pub fn check_samples(definition: &Path, weights: &Path, recipe: &Path) -> Result<()> {
    let definition = Definition::read(definition)?;
    let recipe = Recipe::read(recipe)?;
    let folder = if weights.is_dir() { weights } else { weights.parent().unwrap_or(Path::new("")) };
    let tokenizer = Tokenizer::read(folder, &definition)?;
    for sample in recipe.calibration.iter().chain(&recipe.verification) {
        tokenizer.sample(&definition, &recipe, sample)?;
        for path in recipe.image_paths(sample) {
            load_image(&path, &definition.vision).map_err(|error| error.within(&sample.place))?;
        }
    }
    Ok(())
}

/// Runs the stage.
pub fn calibrate(bundle: &mut Bundle, recipe_path: &Path, progress: &dyn Progress) -> Result<()> {
    let recipe = Recipe::read(recipe_path)?;
    bundle.stage(Stage::Calibrate, |bundle, folder| {
        let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
        let models = |partition: &crate::partition::Partition| bundle.float_model(partition);
        let statistics =
            crate::calibrate::calibrate(&definition, &partitions, &models, &bundle.host_folder(), &recipe, progress)?;
        write_json(&statistics, &folder.join("statistics.json"))?;
        let path = folder.join("recipe.toml");
        std::fs::write(&path, recipe.text()).at(&path)
    })
}
