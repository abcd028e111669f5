//! Calibration: samples stream through the float reference, observers keep statistics of every value.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::as_built::keeping;
use crate::drivers::{Driver, LoadAny, Run};
use crate::engine::{Observations, Reference};
use crate::error::Result;
use crate::observe::StatisticsTable;
use crate::partition::Partition;
use crate::program::Group;
use crate::recipe::Recipe;

/// Engines that are watched, and what was seen.
struct Watched<'a> {
    models: &'a dyn Fn(&Partition) -> PathBuf,
    recipe: &'a Recipe,
    seen: RefCell<Vec<(Group, Observations)>>,
    /// Takes the first run of each graph.
    folder: &'a Path,
}

impl<'a> Watched<'a> {
    fn new(models: &'a dyn Fn(&Partition) -> PathBuf, recipe: &'a Recipe, folder: &'a Path) -> Self {
        Watched { models, recipe, seen: RefCell::default(), folder }
    }

    fn load(&self) -> Box<LoadAny<'_>> {
        Box::new(|partition: &Partition| {
            let kind = self.recipe.part(&partition.group)?.observer;
            let (engine, observations) = Reference::load_observed(partition, &(self.models)(partition), kind)?;
            self.seen.borrow_mut().push((partition.group.clone(), observations));
            Ok(keeping(engine, &partition.name, self.folder))
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

/// Runs the calibration samples through the graphs of a phase. Gives the statistics of what they go through; `folder` takes
/// what the driver keeps for later phases, and the first run of each graph.
///
/// # Errors
/// A sample that cannot be run, a model that cannot run.
pub fn phase(
    driver: &dyn Driver,
    number: usize,
    run: &Run,
    models: &dyn Fn(&Partition) -> PathBuf,
    folder: &Path,
) -> Result<StatisticsTable> {
    let watched = Watched::new(models, run.recipe, folder);
    let known = driver.calibrate(number, run, watched.load(), folder)?;
    let mut table = watched.statistics();
    table.merge(&known);
    Ok(table)
}
