//! Equalize: before a phase is calibrated, the graphs that the recipe equalizes are run to collect the evidence for it,
//! and rewritten. Later stages read the rewritten graphs in place of the exported ones, which stay in the bundle.

use std::collections::BTreeMap;

use super::graph_files::float_models;
use super::kept::kept_file;
use super::memory::for_evidence;
use crate::drivers::{Driver, Kept, Run, write_graphs};
use autoneural_base::error::{IoContext, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{EQUALIZED, Making};
use autoneural_core::evidence::{Ask, Collection, Observer, Plan, sites};
use autoneural_core::partition::Partition;

/// Rewrites the graphs of a phase, in a unit of work. Returns whether there was anything to rewrite.
///
/// # Errors
/// Graphs of which nothing can be equalized, and those of calibration.
pub(crate) fn equalize_phase(
    bundle: &Making,
    driver: &dyn Driver,
    number: usize,
    recipe: &autoneural_core::recipe::Recipe,
    progress: &dyn Progress,
) -> Result<bool> {
    let phase = &driver.phases()[number];
    let mut chosen = Vec::new();
    for group in &phase.groups {
        chosen.extend(recipe.part(group)?.equalize.as_ref().map(|equalize| (group, equalize)));
    }
    if chosen.is_empty() {
        return Ok(false);
    }
    let partitions = bundle.partitions()?;
    let (mut asks, mut all) = (vec![], vec![]);
    for (group, equalize) in &chosen {
        asks.extend(
            equalize
                .wants(group, &partitions)
                .map_err(|error| error.within(format!("{}: recipe.{group}.equalize", recipe.path().display())))?,
        );
        all.extend(sites(&partitions, group));
    }
    // Methods may look at how weights are rounded afterwards.
    let bits: Vec<String> =
        chosen.iter().map(|(group, _)| Ok(recipe.part(group)?.weights.to_string())).collect::<Result<_>>()?;
    let plan = Plan::new(asks, &all, for_evidence())?;
    let key = float_models(bundle, &phase.groups)?
        .setting("equalize", &chosen)
        .setting("bits", &bits)
        .setting("evidence", &plan.passes);
    let key = driver.phase_key(number, key, bundle, recipe)?;
    let run = Run { bundle, partitions: &partitions, recipe, progress };
    bundle.unit(
        &format!("calibrate/equalize-{}", phase.name),
        EQUALIZED.trim_end_matches('/'),
        key,
        progress,
        |folder| {
            let models = |partition: &Partition| bundle.float_model(partition);
            let mut seen: BTreeMap<Ask, Observer> = BTreeMap::new();
            for (pass, asks) in plan.passes.iter().enumerate() {
                if asks.is_empty() {
                    // The method looks at graphs and weights alone.
                    continue;
                }
                let collection = Collection::of_pass(&plan, pass);
                // What the driver keeps of this run is of calibration, which runs the samples again.
                let scratch = tempfile::tempdir_in(folder).at(folder)?;
                let kept = Kept { folder: scratch.path(), earlier: &|name| bundle.read(&kept_file(name), u64::MAX) };
                crate::calibrate::phase(driver, number, &run, &models, &collection, &kept)?;
                seen.extend(collection.take()?);
            }
            for (group, equalize) in &chosen {
                let made = equalize.apply(group, recipe.part(group)?.weights, &partitions, &seen)?;
                progress.start(&format!("equalize {group}"), made.len() as u64);
                write_graphs(group, made.iter(), folder, progress)?.finish()?;
                progress.finish();
            }
            Ok(())
        },
    )?;
    Ok(true)
}
