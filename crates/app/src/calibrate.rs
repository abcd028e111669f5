//! Calibration: samples stream through the float reference, observers keep what is asked of its values.

use std::path::PathBuf;
use std::sync::Arc;

use crate::as_built::keeping;
use crate::drivers::{Driver, Kept, LoadAny, Run};
use crate::runs;
use autoneural_base::error::{Error, Result};
use autoneural_core::evidence::{Collection, NotFinite, Ranges, StatisticsTable};
use autoneural_core::partition::Partition;
use autoneural_engines::engine::{Engine, Reference, Tensor};

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

/// The engine of a graph that is watched. A run ends with the first number that is not finite, if the collection looks
/// for one: who runs the engine knows which sample it is, and later samples need not run.
struct Finite {
    engine: Reference,
    collection: Arc<Collection>,
    partition: Partition,
}

impl Engine for Finite {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let outputs = self.engine.run(inputs)?;
        match self.collection.take_not_finite() {
            Some(found) => Err(refused(&self.partition, &found)),
            None => Ok(outputs),
        }
    }
}

/// What is said of the first number that is not finite.
fn refused(partition: &Partition, NotFinite { value, at, number }: &NotFinite) -> Error {
    let graph = &partition.graph;
    let maker = graph.nodes().iter().find(|node| node.outputs.iter().any(|&id| graph.value(id).name == *value));
    let made = maker.map_or(String::new(), |node| {
        let read = node.inputs.iter().map(|&id| graph.value(id)).filter(|one| one.constant().is_none());
        let read: Vec<String> = read.map(|one| format!("`{}`", one.name)).collect();
        format!("; {} makes it of {}", node.op.name(), read.join(" and "))
    });
    let what = if number.is_nan() { "NaN" } else { "infinite" };
    let message = format!("is the first value of the float model that is {what}, at {at:?}{made}");
    Error::input(format!("{}: {value}", partition.name), message).help(
        "leave this sample out if there is none like it in earnest; otherwise the model divides by zero, or its numbers \
         grow too large, at this value",
    )
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
        let engine = Finite { engine, collection: Arc::clone(collection), partition: partition.clone() };
        let engine = keeping(engine, &partition.name, folder);
        Ok(match recorded.contains(&partition.name) {
            true => runs::recording(engine, &partition.name, folder),
            false => engine,
        })
    });
    let known = driver.calibrate(number, run, load, kept)?;
    Ok(Found { ranges: collection.ranges(), known })
}
