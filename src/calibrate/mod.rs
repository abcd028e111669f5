//! Calibration: samples stream through the float reference, observers keep statistics of every value.

mod observer;
mod recipe;
mod statistics;

pub use observer::{Observer, ObserverKind, Statistics, observer};
pub use recipe::{PartRecipe, Recipe, Sample};
pub use statistics::StatisticsTable;

use std::path::Path;

use crate::engine::{Observations, Reference};
use crate::error::Result;
use crate::front::Definition;
use crate::host::{Embeddings, Tokenizer, Walk};
use crate::partition::{Component, Partition};
use crate::progress::Progress;

/// Runs all calibration samples and gives the statistics of every value of every component.
///
/// # Errors
/// A sample that cannot be read, or a model that cannot run.
pub fn calibrate(
    definition: &Definition,
    partitions: &[Partition],
    models: &dyn Fn(&Partition) -> std::path::PathBuf,
    host_files: &Path,
    recipe: &Recipe,
    progress: &dyn Progress,
) -> Result<StatisticsTable> {
    let tokenizer = Tokenizer::read(host_files, definition)?;
    let embeddings = Embeddings::read(&host_files.join(Embeddings::FILE), &definition.language)?;
    let mut observed: Vec<(Component, Observations)> = Vec::new();
    let mut engines = Vec::new();
    for partition in partitions {
        let kind = recipe.part(partition.component).observer;
        let (engine, observations) = Reference::load_observed(partition, &models(partition), kind)?;
        engines.push(engine);
        observed.push((partition.component, observations));
    }
    let range = embeddings.range();
    let mut walk = Walk::new(definition, partitions, tokenizer, embeddings, engines);
    progress.start("calibrate", recipe.calibration.len() as u64);
    for sample in &recipe.calibration {
        progress.begin(&sample.prompt);
        walk.sample(recipe, sample, &mut |_| Ok(()))?;
        progress.tick(&sample.prompt);
    }
    progress.finish();
    let mut table = StatisticsTable::default();
    for (component, observations) in observed {
        for (name, statistics) in observations.statistics() {
            table.add(component, &name, statistics);
        }
    }
    // Any token may be looked up later, not only those of the samples.
    let whole_table = Statistics { min: range[0], max: range[1], count: 1, non_finite: 0 };
    table.add(Component::Language, "embeds", whole_table);
    Ok(table)
}
