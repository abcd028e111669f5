//! Calibration: samples stream through the float reference, observers keep statistics of every value. First all pictures,
//! which is all that vision encoder and projector see; then all prompts, with what the pictures became.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::engine::{Observations, Reference};
use crate::error::Result;
use crate::front::{Component, Definition};
use crate::host::{Load, Steps, Walk, see};
use crate::observe::{Statistics, StatisticsTable};
use crate::partition::Partition;
use crate::program::Group;
use crate::progress::Progress;
use crate::recipe::Recipe;

/// Engines that are watched, and what was seen.
struct Watched<'a> {
    models: &'a dyn Fn(&Partition) -> PathBuf,
    recipe: &'a Recipe,
    seen: RefCell<Vec<(Group, Observations)>>,
}

impl<'a> Watched<'a> {
    fn new(models: &'a dyn Fn(&Partition) -> PathBuf, recipe: &'a Recipe) -> Self {
        Watched { models, recipe, seen: RefCell::default() }
    }

    fn load(&self) -> Box<Load<'_, Reference>> {
        Box::new(|partition: &Partition| {
            let kind = self.recipe.part(&partition.group)?.observer;
            let (engine, observations) = Reference::load_observed(partition, &(self.models)(partition), kind)?;
            self.seen.borrow_mut().push((partition.group.clone(), observations));
            Ok(engine)
        })
    }

    fn statistics(self) -> StatisticsTable {
        let mut table = StatisticsTable::default();
        for (group, observations) in self.seen.into_inner() {
            for (name, statistics) in observations.statistics() {
                table.add(&group, &name, statistics);
            }
        }
        table
    }
}

/// Runs the pictures of all calibration samples. Gives the statistics of what they go through, and for each sample the
/// embeddings of its pictures, row-major.
///
/// # Errors
/// A picture that cannot be read, or a model that cannot run.
pub fn images(
    definition: &Definition,
    partitions: &[Partition],
    models: &dyn Fn(&Partition) -> PathBuf,
    recipe: &Recipe,
    progress: &dyn Progress,
) -> Result<(StatisticsTable, Vec<Vec<f32>>)> {
    let watched = Watched::new(models, recipe);
    let samples = &recipe.calibration;
    let count = samples.iter().map(|sample| sample.images.len()).sum::<usize>();
    progress.start("calibrate images", count as u64);
    let mut steps = Steps::new(definition, partitions, None, watched.load());
    let visual = see(&mut steps, recipe, samples, progress, &mut |_| Ok(()))?;
    drop(steps);
    progress.finish();
    Ok((watched.statistics(), visual))
}

/// Runs the prompts of all calibration samples, with the embeddings of their pictures. Gives the statistics of the language
/// model.
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
    progress: &dyn Progress,
) -> Result<StatisticsTable> {
    let watched = Watched::new(models, recipe);
    let mut walk = Walk::new(definition, partitions, host_files, watched.load())?;
    let samples = &recipe.calibration;
    let prompts = walk.prompts(recipe, samples)?;
    progress.start("calibrate text", Walk::<Reference>::text_steps(samples));
    walk.read(recipe, samples, &prompts, visual, progress, &mut |_| Ok(()))?;
    progress.finish();
    let range = walk.embeddings().range();
    drop(walk);
    let mut table = watched.statistics();
    // Any token may be looked up later, not only those of the samples.
    let whole_table = Statistics { min: range[0], max: range[1], count: 1, non_finite: 0, runs: 0, settled: 0 };
    table.add(&Component::Language.group(), "embeds", whole_table);
    Ok(table)
}
