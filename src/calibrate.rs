//! Calibration: samples stream through the float reference, observers keep what is asked of its values. First all pictures,
//! which is all that vision encoder and projector see; then all prompts, with what the pictures became.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::Reference;
use crate::error::Result;
use crate::evidence::{Collection, Statistics, StatisticsTable};
use crate::front::Definition;
use crate::host::{Load, Steps, Walk, see};
use crate::partition::{Component, Partition};
use crate::progress::Progress;
use crate::recipe::Recipe;

/// Loads float models that a collection watches.
fn watched<'a>(models: &'a dyn Fn(&Partition) -> PathBuf, collection: &'a Arc<Collection>) -> Box<Load<'a, Reference>> {
    Box::new(|partition: &Partition| {
        let watcher = collection.watcher(partition.component, &partition.name);
        Reference::load_watched(partition, &models(partition), watcher)
    })
}

/// Runs the pictures of all calibration samples, of which a collection sees what it asks for. Gives for each sample the embeddings
/// of its pictures, row-major.
///
/// # Errors
/// A picture that cannot be read, or a model that cannot run.
pub fn images(
    definition: &Definition,
    partitions: &[Partition],
    models: &dyn Fn(&Partition) -> PathBuf,
    recipe: &Recipe,
    collection: &Arc<Collection>,
    progress: &dyn Progress,
) -> Result<Vec<Vec<f32>>> {
    let samples = &recipe.calibration;
    let count = samples.iter().map(|sample| sample.images.len()).sum::<usize>();
    progress.start("calibrate images", count as u64);
    let mut steps = Steps::new(definition, partitions, None, watched(models, collection));
    let visual = see(&mut steps, recipe, samples, progress, &mut |_| Ok(()))?;
    progress.finish();
    Ok(visual)
}

/// Runs the prompts of all calibration samples, with the embeddings of their pictures; a collection sees what it asks for. Gives
/// the ranges of the language model.
///
/// # Errors
/// A prompt that does not fit, or a model that cannot run.
pub fn text(
    definition: &Definition,
    partitions: &[Partition],
    models: &dyn Fn(&Partition) -> PathBuf,
    host_files: &Path,
    recipe: &Recipe,
    visual: &[Vec<f32>],
    collection: &Arc<Collection>,
    progress: &dyn Progress,
) -> Result<StatisticsTable> {
    let mut walk = Walk::new(definition, partitions, host_files, watched(models, collection))?;
    let samples = &recipe.calibration;
    let prompts = walk.prompts(recipe, samples)?;
    progress.start("calibrate text", Walk::<Reference>::text_steps(samples));
    walk.read(recipe, samples, &prompts, visual, progress, &mut |_| Ok(()))?;
    progress.finish();
    let range = walk.embeddings().range();
    drop(walk);
    let mut table = collection.statistics();
    // Any token may be looked up later, not only those of the samples.
    let whole_table = Statistics { min: range[0], max: range[1], count: 1, non_finite: 0, runs: 0, settled: 0 };
    table.add(Component::Language, "embeds", whole_table);
    Ok(table)
}
