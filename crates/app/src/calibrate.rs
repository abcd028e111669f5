//! Calibration: samples stream through the float reference, observers keep what is asked of its values.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::as_built::keeping;
use crate::drivers::{Driver, LoadAny, Run};
use crate::runs;
use autoneural_base::error::Result;
use autoneural_core::evidence::{Collection, StatisticsTable};
use autoneural_core::partition::Partition;
use autoneural_engines::engine::Reference;

/// Runs the calibration samples through the graphs of a phase, while a collection watches the requested values. Returns
/// the ranges that the driver knows beside what engines saw. What the driver keeps for later phases, the first run of
/// each graph, and the runs that rounding methods want are written to `folder`.
///
/// # Errors
/// A sample that cannot be run, a model that cannot run.
pub fn phase(
    driver: &dyn Driver,
    number: usize,
    run: &Run,
    models: &dyn Fn(&Partition) -> PathBuf,
    collection: &Arc<Collection>,
    folder: &Path,
) -> Result<StatisticsTable> {
    let recorded = runs::wanted(run.partitions, run.recipe)?;
    let load: Box<LoadAny<'_>> = Box::new(|partition: &Partition| {
        let watcher = collection.watcher(&partition.group, &partition.name);
        let engine = Reference::load_watched(partition, &models(partition), watcher)?;
        let engine = keeping(engine, &partition.name, folder);
        Ok(match recorded.contains(&partition.name) {
            true => runs::recording(engine, &partition.name, folder),
            false => engine,
        })
    });
    let known = driver.calibrate(number, run, load, folder)?;
    let mut table = collection.statistics();
    table.merge(&known);
    Ok(table)
}
