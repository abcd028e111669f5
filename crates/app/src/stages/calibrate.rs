//! Calibrate: samples become statistics, in the phases of the driver, each a unit of work.

use crate::as_built;
use crate::bundle::{INPUTS, Key, Making, RECIPE, STATISTICS, Stage};
use crate::drivers::{Driver, Phase, Run, of_bundle};
use crate::error::Result;
use crate::files;
use crate::json::write_json;
use crate::observe::StatisticsTable;
use crate::partition::Partition;
use crate::program::{Group, groups};
use crate::progress::{Progress, Silent};
use crate::recipe::Recipe;

/// Folder of everything that calibration makes.
const FOLDER: &str = "calibration";

/// Runs the stage.
pub fn calibrate(bundle: &mut Making, recipe: &Recipe, progress: &dyn Progress) -> Result<()> {
    let (driver, partitions) = (of_bundle(bundle)?, bundle.partitions()?);
    recipe.refuse_other_groups(&groups(&partitions))?;
    driver.refuse_unfit(recipe, &partitions)?;
    driver.refuse_too_large(bundle)?;
    for phase in 0..driver.phases().len() {
        calibrate_phase(bundle, &*driver, phase, recipe, progress)?;
    }
    keep_samples(bundle, &*driver, recipe)?;
    note_samples(bundle, &*driver, recipe);
    Ok(())
}

/// Notes in the manifest what a person should know of the samples.
pub fn note_samples(bundle: &mut Making, driver: &dyn Driver, recipe: &Recipe) {
    let stage = Stage::Calibrate.name();
    let warnings = driver.warnings(bundle, recipe, "calibration", stage);
    bundle.manifest.set_warnings(stage, warnings);
}

/// Runs a phase. What it found is then in a file, with what those before it found. The graphs that it ran are compared with those
/// that were built from the checkpoint.
pub fn calibrate_phase(
    bundle: &Making,
    driver: &dyn Driver,
    number: usize,
    recipe: &Recipe,
    progress: &dyn Progress,
) -> Result<()> {
    let phases = driver.phases();
    let (phase, before) = (&phases[number], number.checked_sub(1).map(|before| statistics_of(&phases, before)));
    let observers = phase.groups.iter().map(|group| Ok(recipe.part(group)?.observer)).collect::<Result<Vec<_>>>()?;
    let key = float_models(bundle, &phase.groups)?.setting("observers", &observers);
    let key = bundle.key(key, |path| before.as_deref() == Some(path))?;
    let partitions = bundle.partitions()?;
    let run = Run { bundle, partitions: &partitions, recipe, progress };
    let key = driver.phase_key(number, key, &run)?;
    bundle.unit(&format!("calibrate/{}", phase.name), FOLDER, key, progress, |folder| {
        let models = |partition: &Partition| bundle.float_model(partition);
        let made = crate::calibrate::phase(driver, number, &run, &models, folder)?;
        let mut statistics: StatisticsTable = before.map_or(Ok(Default::default()), |before| bundle.json(&before))?;
        statistics.merge(&made);
        write_json(&statistics, &folder.join(name_of(&statistics_of(&phases, number))))
    })?;
    phase.groups.iter().try_for_each(|group| as_built::compare(bundle, group, &partitions, progress))
}

/// The file of the statistics behind a phase: those of all behind the last one, else a hidden one for runs that begin there.
pub fn statistics_of(phases: &[Phase], number: usize) -> String {
    match number + 1 == phases.len() {
        true => STATISTICS.to_string(),
        false => format!("{FOLDER}/.{}.json", phases[number].name),
    }
}

/// Keeps what the files of samples hold, and a copy of the recipe.
pub fn keep_samples(bundle: &Making, driver: &dyn Driver, recipe: &Recipe) -> Result<()> {
    let inputs = driver.inputs(bundle, recipe, &recipe.calibration)?;
    let key = Key::new().setting("images", &inputs);
    bundle
        .unit("calibrate/hashes", FOLDER, key, &Silent, |folder| write_json(&inputs, &folder.join(name_of(INPUTS))))?;
    keep_recipe(bundle, recipe)
}

/// Keeps a copy of the recipe, which is what the next stages read where each is a command of its own.
pub fn keep_recipe(bundle: &Making, recipe: &Recipe) -> Result<()> {
    let key = Key::new().and("recipe", recipe.text());
    bundle.unit("calibrate/recipe", FOLDER, key, &Silent, |folder| {
        files::write(&folder.join(name_of(RECIPE)), recipe.text().as_bytes())
    })
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A key of the float models of groups and of what the source stated.
fn float_models(bundle: &Making, groups: &[Group]) -> Result<Key> {
    let is_read = |path: &str| {
        let file = path.strip_prefix("model/").unwrap_or_default();
        file == "definition.toml" || groups.iter().any(|group| group.owns(file))
    };
    bundle.key(Key::new(), is_read)
}
