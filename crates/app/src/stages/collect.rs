//! Calibration of a share of the samples: what it finds goes to a part.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::calibrate::{plan, refuse_unfit_samples, write_evidence};
use crate::calibrate::phase;
use crate::drivers::{Kept, Run, of_bundle};
use crate::shards::{KNOWN, LIST, Origin, Part, RANGES, Share, contents, refuse_taken};
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files;
use autoneural_base::folder::{self, Partial};
use autoneural_base::json::write_json;
use autoneural_base::progress::Progress;
use autoneural_bundle::{Bundle, Stage};
use autoneural_core::evidence::{Collection, ObserverKind};
use autoneural_core::partition::Partition;
use autoneural_core::program::groups;
use autoneural_core::recipe::Recipe;

/// What was collected, and where it is.
#[derive(Debug, Clone, Serialize)]
pub struct Collected {
    /// The share.
    pub shard: Share,
    /// How many samples are in it.
    pub samples: usize,
    /// The part's folder.
    pub part: PathBuf,
}

/// Runs a share of the calibration samples, and writes what was seen to the folder `out`. The bundle is only read, so
/// that shares may run at the same time.
///
/// # Errors
/// A bundle without float models, a recipe that does not fit it or that rewrites graphs, fewer samples than shares, and
/// those of calibration.
pub fn collect(
    bundle: &Bundle,
    recipe: &Recipe,
    shard: Share,
    out: &Path,
    progress: &dyn Progress,
) -> Result<Collected> {
    if !bundle.manifest.has(Stage::Export.name()) {
        return Err(Error::input(bundle.path("").display(), "`export` has not run").help("run `autoneural export`"));
    }
    refuse_taken(out, LIST)?;
    let (driver, partitions) = (of_bundle(bundle)?, bundle.partitions()?);
    refuse_unfit_samples(bundle, &*driver, recipe, &partitions)?;
    refuse_rewritten(recipe, &partitions)?;
    refuse_ordered(recipe, &partitions)?;
    bundle.check(&|path| path.starts_with("model/"), progress)?;
    let range = shard.range(recipe.calibration.len(), "calibration samples")?;
    let mut own = recipe.clone();
    own.calibration = recipe.calibration[range].to_vec();
    let place = folder::place(out)?;
    let partial = Partial::begin(&place)?;
    let root = partial.path();
    let run = Run { bundle, partitions: &partitions, recipe: &own, progress };
    let models = |partition: &Partition| bundle.float_model(partition);
    let phases = driver.phases();
    for (number, one) in phases.iter().enumerate() {
        let made = root.join(one.name);
        std::fs::create_dir(&made).at(&made)?;
        let earlier = |name: &str| {
            let path = root.join(phases[number.saturating_sub(1)].name).join(name);
            files::read(files::open(&path)?, &path, u64::MAX)
        };
        let plan = plan(&partitions, &one.groups, recipe)?;
        for pass in 0..plan.passes.len() {
            let seen = Collection::of_pass(&plan, pass);
            seen.look_for_not_finite();
            let scratch = tempfile::tempdir_in(root).at(root)?;
            let folder = if pass == 0 { made.as_path() } else { scratch.path() };
            let found = phase(&*driver, number, &run, &models, &seen, &Kept { folder, earlier: &earlier })?;
            // Samples of other shares may reach what none of these does.
            write_evidence(&made, seen.take_seen())?;
            // Ranges are asked for in the first pass.
            if pass == 0 {
                write_json(&found.ranges, &made.join(RANGES))?;
                write_json(&found.known, &made.join(KNOWN))?;
            }
        }
    }
    let part = Part::new(shard, Origin::of(bundle, recipe)?, contents(recipe, &own.calibration)?, root)?;
    write_json(&part, &root.join(LIST))?;
    bundle.refuse_other_models()?;
    refuse_taken(out, LIST)?;
    partial.finish(&place)?;
    Ok(Collected { shard, samples: own.calibration.len(), part: out.to_path_buf() })
}

/// Refuses recipes that rewrite graphs with evidence of all samples.
fn refuse_rewritten(recipe: &Recipe, partitions: &[Partition]) -> Result<()> {
    for group in groups(partitions) {
        if recipe.part(&group)?.equalize.is_some() {
            let place = format!("{}: recipe.{group}.equalize", recipe.path().display());
            return Err(Error::input(
                place,
                "looks at all samples before ranges are seen; shards have a share of them",
            )
            .help("run `autoneural calibrate` without --shard, or leave `equalize` out"));
        }
    }
    Ok(())
}

/// Refuses recipes whose ranges depend on the order of all samples.
fn refuse_ordered(recipe: &Recipe, partitions: &[Partition]) -> Result<()> {
    for group in groups(partitions) {
        let mut observers = recipe.part(&group)?.observer.all();
        if let Some((key, _)) = observers.find(|(_, kind)| *kind == ObserverKind::MovingAverage) {
            let place = format!("{}: recipe.{group}.observer.{key}", recipe.path().display());
            return Err(Error::input(
                place,
                "moving-average goes from sample to sample in order; a shard does not know where the one before it ended",
            )
            .help("run `autoneural calibrate` without --shard, or choose another observer"));
        }
    }
    Ok(())
}
