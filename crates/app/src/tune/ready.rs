//! What layers are measured in: a bundle with calibrated graphs, rewritten where the recipe says so.

use super::candidates::{Basis, Subject};
use super::plan::TunePlan;
use crate::drivers::{Driver, of_bundle};
use crate::stages::{From, KeptEvidence, calibrate_phase, check_encodings, coverage, keep_samples, note_samples};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{GivenFiles, Making};
use autoneural_core::evidence::{CoverageTable, EvidenceSource, StatisticsTable};
use autoneural_core::partition::Partition;
use autoneural_core::program::groups;
use autoneural_front::PREFILL;

/// A calibrated program.
pub(crate) struct Ready {
    pub driver: Box<dyn Driver>,
    pub partitions: Vec<Partition>,
    pub statistics: StatisticsTable,
    pub coverage: CoverageTable,
}

impl Ready {
    /// Exports and calibrates what a plan names, as `compile` does it.
    ///
    /// # Errors
    /// The recipe does not fit, or a stage fails.
    pub(crate) fn new(bundle: &mut Making, plan: &TunePlan, progress: &dyn Progress) -> Result<Self> {
        let recipe = plan.recipe;
        recipe.refuse_other_groups(&plan.source.program()?.groups())?;
        plan.source.check(bundle, recipe)?;
        plan.source.export(bundle, plan.target, progress)?;
        let (driver, exported) = (of_bundle(bundle)?, bundle.partitions()?);
        if plan.text.is_some() && exported.iter().all(|part| part.name != PREFILL) {
            return Err(Error::input(PREFILL, "this partition is missing: the model reads no text"));
        }
        check_encodings(bundle, &exported, recipe, &GivenFiles::read(&[], false)?)?;
        driver.refuse_unfit(recipe, &exported)?;
        for number in 0..driver.phases().len() {
            calibrate_phase(bundle, &*driver, number, recipe, From::Samples, progress)?;
        }
        keep_samples(bundle, &*driver, recipe)?;
        note_samples(bundle, &*driver, recipe)?;
        // Behind calibration these are the graphs that it rewrote.
        let (partitions, statistics) = (bundle.partitions()?, bundle.statistics()?);
        let coverage = coverage(bundle)?;
        Ok(Ready { driver, partitions, statistics, coverage })
    }

    /// What choices follow from.
    pub(crate) fn basis<'a>(&'a self, seen: &'a KeptEvidence<'a>, plan: &'a TunePlan) -> Basis<'a> {
        let seen = (&self.statistics, seen as &dyn EvidenceSource);
        Basis {
            partitions: &self.partitions,
            seen,
            coverage: &self.coverage,
            recipe: plan.recipe,
            target: plan.target.0,
            has_widths: plan.has_widths,
        }
    }

    /// The groups that are tuned: with a text the one that reads it, as nothing else takes part.
    ///
    /// # Errors
    /// Encodings cannot be made.
    pub(crate) fn subjects(&self, basis: &Basis, plan: &TunePlan) -> Result<Vec<Subject>> {
        let mut wanted = groups(&self.partitions);
        if plan.text.is_some() {
            wanted.retain(|group| self.partitions.iter().any(|part| part.name == PREFILL && part.group == *group));
        }
        wanted.iter().map(|group| basis.subject(group)).collect()
    }
}
