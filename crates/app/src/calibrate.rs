//! Calibration: samples stream through the float reference, observers keep what is asked of its values.

use std::path::PathBuf;
use std::sync::Arc;

use crate::as_built::keeping;
use crate::drivers::{Driver, Kept, LoadAny, Run};
use crate::runs;
use autoneural_base::error::Result;
use autoneural_core::evidence::{Collection, Ranges, StatisticsTable};
use autoneural_core::partition::Partition;
use autoneural_engines::engine::Reference;

/// The ranges of a phase.
pub struct Found {
    /// What engines saw.
    pub ranges: Ranges,
    /// What the driver knows beside them, whatever the samples are.
    pub known: StatisticsTable,
}

impl Found {
    /// The statistics of each value.
    pub fn statistics(&self, partitions: &[Partition]) -> StatisticsTable {
        let mut table = self.ranges.statistics(partitions);
        table.merge(&self.known);
        table
    }
}

/// Runs the calibration samples through the graphs of a phase, while a collection watches the requested values. What
/// the driver keeps for later phases, the first run of each graph, and the runs that rounding methods want are written
/// as `kept` says.
///
/// # Errors
/// A sample that cannot be run, a model that cannot run.
pub fn phase(
    driver: &dyn Driver,
    number: usize,
    run: &Run,
    models: &dyn Fn(&Partition) -> PathBuf,
    collection: &Arc<Collection>,
    kept: &Kept,
) -> Result<Found> {
    let recorded = runs::wanted(run.partitions, run.recipe)?;
    let folder = kept.folder;
    let load: Box<LoadAny<'_>> = Box::new(|partition: &Partition| {
        let watcher = collection.watcher(&partition.group, &partition.name);
        let engine = Reference::load_watched(partition, &models(partition), watcher)?;
        let engine = keeping(engine, &partition.name, folder);
        Ok(match recorded.contains(&partition.name) {
            true => runs::recording(engine, &partition.name, folder),
            false => engine,
        })
    });
    let known = driver.calibrate(number, run, load, kept)?;
    Ok(Found { ranges: collection.ranges(), known })
}
