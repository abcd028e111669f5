//! What the samples show, and whether that is enough to go by.

use crate::drivers::{Driver, and_samples};
use autoneural_base::error::Result;
use autoneural_base::json::write_json;
use autoneural_base::progress::Silent;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Key, Making, Stage};
use autoneural_core::doubts::{Look, of_overlap, of_samples};
use autoneural_core::recipe::Recipe;

/// What the samples that calibrated show. Those that judge are compared with it, also where the others are gone.
const LOOKS: &str = "calibration/looks.json";

/// Warnings about the samples that a stage runs: those that calibrate, or those that judge.
///
/// # Errors
/// A sample that cannot be read.
pub(super) fn warnings(bundle: &Making, driver: &dyn Driver, recipe: &Recipe, stage: Stage) -> Result<Vec<Warning>> {
    let is_calibration = stage == Stage::Calibrate;
    let (list, samples) = match is_calibration {
        true => ("calibration", &recipe.calibration),
        false => ("verification", &recipe.verification),
    };
    let (place, name) = (format!("{}: {list}", recipe.file_name()), stage.name());
    let mut made = driver.warnings(bundle, recipe, list, name);
    let key = and_samples(driver, Key::new().and("looks", list), bundle, recipe, samples)?;
    let (folder, file) = LOOKS.split_once('/').unwrap_or_default();
    let looks: Vec<Look> = bundle.unit(&format!("{name}/looks"), folder, key, &Silent, |folder| {
        let looks = driver.looks(bundle, recipe, samples)?;
        if is_calibration {
            write_json(&looks, &folder.join(file))?;
        }
        Ok(looks)
    })?;
    made.extend(of_samples(&looks, list, &place, name));
    if !is_calibration && bundle.has_file(LOOKS) {
        made.extend(of_overlap(&bundle.json::<Vec<Look>>(LOOKS)?, &looks, &place, name));
    }
    Ok(made)
}
