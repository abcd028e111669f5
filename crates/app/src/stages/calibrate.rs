//! Calibrate: samples become statistics and what else methods ask for, in the phases of the driver, each a unit of
//! work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::coverage::coverage_of;
use super::equalize::equalize_phase;
use super::graph_files::float_models;
use super::kept::kept_file;
use super::looks;
use super::memory::for_evidence;
use crate::calibrate::Found;
use crate::drivers::{Driver, Kept, Phase, Run, of_bundle};
use crate::runs;
use crate::shards::Parts;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files;
use autoneural_base::json::write_json;
use autoneural_base::progress::{Progress, Silent};
use autoneural_bundle::{Bundle, INPUTS, Key, Making, RECIPE, STATISTICS, Stage};
use autoneural_core::evidence::{
    Ask, Chosen, Collection, Observer, ObserverKind, Plan, Ranges, StatisticsTable, Want, choose, sites,
};
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, groups};
use autoneural_core::quantize::{asks, observed};
use autoneural_core::recipe::Recipe;
use autoneural_engines::back::evidence;

/// Folder of everything that calibration makes.
const FOLDER: &str = "calibration";

/// Where what is known of the samples comes from.
#[derive(Clone, Copy)]
pub(crate) enum From<'a> {
    /// They are run. A number that is not finite ends that.
    Samples,
    /// They are run. Encodings are given, which may stand in place of what is seen of values that are not finite.
    AnySamples,
    /// They were run in shards.
    Parts(&'a Parts),
}

/// Runs the stage: all phases, in order.
///
/// # Errors
/// The recipe does not fit the program, a sample cannot be read, an engine fails, memory does not suffice, or files
/// cannot be written.
pub fn calibrate(bundle: &mut Making, recipe: &Recipe, progress: &dyn Progress) -> Result<()> {
    calibrate_from(bundle, recipe, From::Samples, progress)
}

/// The same with the parts that shards of the samples left in these folders: the bundle becomes what it would be if all
/// samples were run at once.
///
/// # Errors
/// As for [`calibrate`] and [`Parts::read`].
pub fn merge(bundle: &mut Making, recipe: &Recipe, parts: &[PathBuf], progress: &dyn Progress) -> Result<()> {
    let parts = Parts::read(parts, bundle, recipe)?;
    calibrate_from(bundle, recipe, From::Parts(&parts), progress)
}

fn calibrate_from(bundle: &mut Making, recipe: &Recipe, from: From, progress: &dyn Progress) -> Result<()> {
    let (driver, partitions) = (of_bundle(bundle)?, bundle.partitions()?);
    refuse_unfit_samples(bundle, &*driver, recipe, &partitions)?;
    bundle.drop_equalized();
    for phase in 0..driver.phases().len() {
        calibrate_phase(bundle, &*driver, phase, recipe, from, progress)?;
    }
    keep_samples(bundle, &*driver, recipe)?;
    note_samples(bundle, &*driver, recipe)
}

/// Refuses a recipe or samples that do not fit the program, and a program that this machine has no memory for.
///
/// # Errors
/// As it says.
pub(crate) fn refuse_unfit_samples(
    bundle: &Bundle,
    driver: &dyn Driver,
    recipe: &Recipe,
    partitions: &[Partition],
) -> Result<()> {
    recipe.refuse_other_groups(&groups(partitions))?;
    driver.refuse_unfit(recipe, partitions)?;
    driver.refuse_too_large(bundle)
}

/// Adds warnings about the samples that calibrate to the manifest.
///
/// # Errors
/// A sample that cannot be read.
pub(crate) fn note_samples(bundle: &mut Making, driver: &dyn Driver, recipe: &Recipe) -> Result<()> {
    let warnings = looks::warnings(bundle, driver, recipe, Stage::Calibrate)?;
    bundle.manifest.set_warnings(Stage::Calibrate.name(), warnings);
    Ok(())
}

/// Runs a phase, in as many passes as the requested evidence takes; mostly this is one. Afterwards a file holds what
/// this phase and those before it found. Graphs that the recipe equalizes are rewritten before; returns whether there
/// are any.
///
/// # Errors
/// As for [`calibrate`].
pub(crate) fn calibrate_phase(
    bundle: &Making,
    driver: &dyn Driver,
    number: usize,
    recipe: &Recipe,
    from: From,
    progress: &dyn Progress,
) -> Result<bool> {
    let phases = driver.phases();
    let (phase, before) = (&phases[number], number.checked_sub(1).map(|before| statistics_of(&phases, before)));
    let observers = phase.groups.iter().map(|group| Ok(&recipe.part(group)?.observer)).collect::<Result<Vec<_>>>()?;
    let is_rewritten = equalize_phase(bundle, driver, number, recipe, progress)?;
    let partitions = bundle.partitions()?;
    let run = Run { bundle, partitions: &partitions, recipe, progress };
    let plan = plan(&partitions, &phase.groups, recipe)?;
    let mut recorded = runs::wanted(&partitions, recipe)?;
    recorded.retain(|name| partitions.iter().any(|one| one.name == *name && phase.groups.contains(&one.group)));
    for (pass, asks) in plan.passes.iter().enumerate() {
        let key = float_models(bundle, &phase.groups)?.setting("observers", &observers);
        let key = bundle.key(key, |path| before.as_deref() == Some(path))?;
        let key = and_asks(driver.phase_key(number, key, bundle, recipe)?, asks);
        let key = if recorded.is_empty() { key } else { key.setting("runs", &recorded) };
        let name = format!("calibrate/{}", phase.name);
        let name = if pass == 0 { name } else { format!("{name}/{pass}") };
        bundle.unit(&name, FOLDER, key, progress, |folder| {
            let made = match from {
                From::Samples | From::AnySamples => {
                    let refuses = matches!(from, From::Samples);
                    run_phase((driver, number), &run, (&plan, pass, refuses), folder)?
                }
                From::Parts(parts) => {
                    let all: Vec<_> = phase.groups.iter().flat_map(|group| sites(&partitions, group)).collect();
                    parts.join(driver, (number, phase), (asks, &all), &partitions, (folder, pass == 0))?
                }
            };
            if pass > 0 {
                // They are small: only a machine that runs no model has no room for them in the first pass.
                let histogram = asks.iter().find(|ask| ask.want == Want::Histogram);
                return histogram.map_or(Ok(()), |ask| {
                    Err(Error::input(&ask.site, "there is no memory for its histogram beside those of other values"))
                });
            }
            let mut statistics: StatisticsTable =
                before.as_ref().map_or(Ok(Default::default()), |before| bundle.json(before))?;
            let mut own = made.statistics(&partitions);
            choose_ranges(&mut own, (&partitions, recipe, &made.ranges), asks, folder)?;
            statistics.merge(&own);
            write_json(&made.ranges.coverage(), &folder.join(name_of(&coverage_of(phase))))?;
            write_json(&statistics, &folder.join(name_of(&statistics_of(&phases, number))))
        })?;
    }
    Ok(is_rewritten)
}

/// Runs the samples in a pass of a phase; what is seen beside ranges, and what is kept for later, goes to `folder`.
fn run_phase(
    (driver, number): (&dyn Driver, usize),
    run: &Run,
    (plan, pass, refuses): (&Plan, usize, bool),
    folder: &Path,
) -> Result<Found> {
    let (bundle, seen) = (run.bundle, Collection::of_pass(plan, pass));
    let models = |partition: &Partition| bundle.float_model(partition);
    if refuses {
        seen.look_for_not_finite();
    }
    // What the driver keeps, it keeps in the first pass.
    let scratch = tempfile::tempdir_in(folder).at(folder)?;
    let kept = if pass == 0 { folder } else { scratch.path() };
    let kept = Kept { folder: kept, earlier: &|name| bundle.read(&kept_file(name), u64::MAX) };
    let made = crate::calibrate::phase(driver, number, run, &models, &seen, &kept)?;
    write_evidence(folder, seen.take()?)?;
    Ok(made)
}

/// The passes of the samples, with the evidence that the recipe's observers and rounding methods request about these
/// groups.
pub(crate) fn plan(partitions: &[Partition], groups: &[Group], recipe: &Recipe) -> Result<Plan> {
    let (mut wanted, mut all) = (vec![], vec![]);
    for group in groups {
        let part = recipe.part(group)?;
        wanted.extend(asks(partitions, group, part));
        all.extend(sites(partitions, group));
    }
    Plan::new(wanted, &all, for_evidence())
}

/// Makes ranges of what observers saw beside the ends: moving averages, and the histograms that they asked for, which
/// are of no use behind it.
fn choose_ranges(
    statistics: &mut StatisticsTable,
    (partitions, recipe, ranges): (&[Partition], &Recipe, &Ranges),
    asks: &[Ask],
    folder: &Path,
) -> Result<()> {
    let mut observers: BTreeMap<(Group, String), ObserverKind> = BTreeMap::new();
    for group in groups(partitions) {
        let (part, averages) = (recipe.part(&group)?, ranges.averages(&group));
        for site in observed(partitions, &group) {
            let observer = part.observer.of(site.class);
            if let (ObserverKind::MovingAverage, Some(average)) = (observer, averages.get(&site.name)) {
                let range = average.ok_or_else(|| Error::internal(&site.name, "has no order of runs"))?;
                let chosen = Chosen { eight: range, sixteen: range };
                statistics.choose(&group, &site.name, |_| Some(chosen));
            }
            observers.insert((group.clone(), site.name), observer);
        }
    }
    for ask in asks.iter().filter(|ask| ask.want == Want::Histogram) {
        let Some(&observer) = observers.get(&(ask.group.clone(), ask.site.clone())) else { continue };
        let path = folder.join(evidence::file(ask));
        let bytes = files::read(files::open(&path)?, &path, u64::MAX)?;
        if let Observer::Histogram(histogram) = evidence::read(&bytes, &path, ask)? {
            statistics.choose(&ask.group, &ask.site, |seen| choose(observer, &histogram, seen));
        }
        std::fs::remove_file(&path).at(&path)?;
    }
    Ok(())
}

/// Adds the requests to a key, without those for ranges: the observers, which the key has, stand for them.
fn and_asks(key: Key, asks: &[Ask]) -> Key {
    let more: Vec<&Ask> = asks.iter().filter(|ask| ask.want != Want::Range).collect();
    if more.is_empty() { key } else { key.setting("evidence", &more) }
}

/// Writes evidence beside ranges.
pub(crate) fn write_evidence(folder: &Path, seen: BTreeMap<Ask, Observer>) -> Result<()> {
    for (ask, observer) in seen {
        let path = folder.join(evidence::file(&ask));
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).at(parent)?;
        evidence::write(&path, &ask, &observer)?;
    }
    Ok(())
}

/// The file of the statistics behind a phase: those of all behind the last one, else a hidden one for runs that begin
/// there.
pub(crate) fn statistics_of(phases: &[Phase], number: usize) -> String {
    match number + 1 == phases.len() {
        true => STATISTICS.to_string(),
        false => format!("{FOLDER}/.{}.json", phases[number].name),
    }
}

/// Keeps the hashes of the samples' files, and a copy of the recipe.
///
/// # Errors
/// A file of a sample cannot be read, or a file cannot be written.
pub(crate) fn keep_samples(bundle: &Making, driver: &dyn Driver, recipe: &Recipe) -> Result<()> {
    let inputs = driver.inputs(bundle, recipe, &recipe.calibration)?;
    let key = Key::new().setting("images", &inputs);
    bundle
        .unit("calibrate/hashes", FOLDER, key, &Silent, |folder| write_json(&inputs, &folder.join(name_of(INPUTS))))?;
    keep_recipe(bundle, recipe)
}

/// Keeps a copy of the recipe. Later stages read it when each is run as a command of its own.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep_recipe(bundle: &Making, recipe: &Recipe) -> Result<()> {
    let key = Key::new().and("recipe", recipe.text());
    bundle.unit("calibrate/recipe", FOLDER, key, &Silent, |folder| {
        files::write(&folder.join(name_of(RECIPE)), recipe.text().as_bytes())
    })
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
