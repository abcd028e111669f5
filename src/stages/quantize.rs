//! Quantize: statistics and weights become encodings.

use crate::back::bundle::{Bundle, Stage};
use crate::back::encodings::{self, GivenFiles};
use crate::error::Result;
use crate::progress::Progress;
use crate::recipe::Recipe;

/// Refuses given encodings of tensors that the exported graphs do not have, before samples are run and not after.
pub fn check_encodings(bundle: &Bundle, given: &GivenFiles) -> Result<()> {
    given.encodings().refuse_unknown(&bundle.partitions()?)
}

/// Runs the stage, with the recipe that calibration left in the bundle. Encodings that are given stand in place of what
/// calibration found.
pub fn quantize(bundle: &mut Bundle, given: &GivenFiles, progress: &dyn Progress) -> Result<()> {
    let described = bundle.stage(Stage::Quantize, |bundle, folder| {
        let recipe = Recipe::read(&bundle.path("calibration/recipe.toml"))?;
        let (partitions, statistics, target) = (bundle.partitions()?, bundle.statistics()?, bundle.target()?);
        let learned = given.encodings();
        let made = crate::quantize::quantize(&partitions, &statistics, &recipe, &target, learned, progress);
        let made = made.map_err(|error| match learned.is_of_file(&error) {
            true => error,
            false => error.within(format!("recipe `{}`", recipe.name)),
        })?;
        for (partition, (table, _)) in partitions.iter().zip(&made) {
            encodings::write(table, &folder.join(format!("{}.json", partition.name)))?;
        }
        let records = given.copy_to(folder)?;
        Ok((partitions, made, recipe, records))
    })?;
    let (partitions, made, recipe, records) = described;
    bundle.manifest.describe(&partitions, &made, |partition| recipe.part(partition.component).scheme());
    bundle.manifest.given_encodings = records;
    Ok(())
}
