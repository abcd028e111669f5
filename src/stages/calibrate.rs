//! Calibrate: samples become statistics.

use std::path::Path;

use crate::back::bundle::{Bundle, Stage};
use crate::calibrate::Recipe;
use crate::error::{Error, IoContext, Result};
use crate::progress::Progress;

/// Runs the stage.
pub fn calibrate(bundle: &mut Bundle, recipe_path: &Path, progress: &dyn Progress) -> Result<()> {
    let recipe = Recipe::read(recipe_path)?;
    let recipe_text = crate::text::read(recipe_path)?;
    bundle.stage(Stage::Calibrate, |bundle, folder| {
        let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
        let models = |partition: &crate::partition::Partition| bundle.float_model(partition);
        let statistics =
            crate::calibrate::calibrate(&definition, &partitions, &models, &bundle.host_folder(), &recipe, progress)?;
        let path = folder.join("statistics.json");
        let mut text =
            serde_json::to_string_pretty(&statistics).map_err(|error| Error::internal(path.display(), error))?;
        text.push('\n');
        std::fs::write(&path, text).at(&path)?;
        let path = folder.join("recipe.toml");
        std::fs::write(&path, &recipe_text).at(&path)
    })
}
