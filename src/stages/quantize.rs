//! Quantize: statistics and weights become encodings.

use crate::back::bundle::{Bundle, Stage};
use crate::back::encodings;
use crate::error::Result;
use crate::progress::Progress;
use crate::recipe::Recipe;

/// Runs the stage, with the recipe that calibration left in the bundle.
pub fn quantize(bundle: &mut Bundle, progress: &dyn Progress) -> Result<()> {
    let described = bundle.stage(Stage::Quantize, |bundle, folder| {
        let recipe = Recipe::read(&bundle.path("calibration/recipe.toml"))?;
        let (partitions, statistics, target) = (bundle.partitions()?, bundle.statistics()?, bundle.target()?);
        let tables = crate::quantize::quantize(&partitions, &statistics, &recipe, &target, progress)
            .map_err(|error| error.within(format!("recipe `{}`", recipe.name)))?;
        for (partition, table) in partitions.iter().zip(&tables) {
            encodings::write(table, &folder.join(format!("{}.json", partition.name)))?;
        }
        Ok((partitions, tables, recipe))
    })?;
    let (partitions, tables, recipe) = described;
    bundle.manifest.describe(&partitions, &tables, |partition| recipe.part(partition.component).scheme());
    Ok(())
}
