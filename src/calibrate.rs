//! Calibration: samples stream through the float reference, observers keep statistics of every value.

use std::cell::RefCell;
use std::path::Path;

use crate::engine::{Observations, Reference};
use crate::error::Result;
use crate::front::Definition;
use crate::host::Walk;
use crate::observe::{Statistics, StatisticsTable};
use crate::partition::{Component, Partition};
use crate::progress::Progress;
use crate::recipe::Recipe;

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
    let observed: RefCell<Vec<(Component, Observations)>> = RefCell::default();
    let load = |partition: &Partition| {
        let kind = recipe.part(partition.component).observer;
        let (engine, observations) = Reference::load_observed(partition, &models(partition), kind)?;
        observed.borrow_mut().push((partition.component, observations));
        Ok(engine)
    };
    let mut walk = Walk::new(definition, partitions, host_files, Box::new(load))?;
    walk.samples("calibrate", recipe, &recipe.calibration, progress, &mut |_| Ok(()))?;
    let range = walk.embeddings().range();
    drop(walk);
    let mut table = StatisticsTable::default();
    for (component, observations) in observed.into_inner() {
        for (name, statistics) in observations.statistics() {
            table.add(component, &name, statistics);
        }
    }
    // Any token may be looked up later, not only those of the samples.
    let whole_table = Statistics { min: range[0], max: range[1], count: 1, non_finite: 0 };
    table.add(Component::Language, "embeds", whole_table);
    Ok(table)
}
