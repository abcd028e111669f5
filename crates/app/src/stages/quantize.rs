//! Quantize: statistics and weights become encodings.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::calibrate::keep_recipe;
use super::coverage::{coverage, is_coverage};
use super::graph_files::of_graphs;
use super::kept_evidence::KeptEvidence;
use crate::drivers::{Driver, of_bundle};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::{Progress, Silent};
use autoneural_base::text::listed;
use autoneural_base::warning::Warning;
use autoneural_bundle::{
    Bundle, GivenFiles, GivenRecord, INPUTS, InputRecord, Making, PartitionRecord, RECIPE, RuntimeRecord,
    SegmentRecord, Stage, models_of,
};
use autoneural_core::doubts::{Noting, Seen, of_cuts, of_given, of_idle_keys, of_moments, of_ranges, of_sums};
use autoneural_core::evidence::{EvidenceSource, StatisticsTable};
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, groups};
use autoneural_core::quantize::rounding::LayerEvidence;
use autoneural_core::quantize::{
    Settled, Table, decisive, layers, of_constants, refuse_idle_overrides, refuse_untaken_forms, refuse_untaken_weights,
};
use autoneural_core::recipe::Recipe;
use autoneural_core::segment::segments;
use autoneural_engines::back::encodings;

/// Folder of everything that quantization makes.
const FOLDER: &str = "encodings";

/// Refuses given encodings and overrides of the recipe that fit no tensor of the exported graphs, given encodings inside
/// groups that the recipe equalizes, and integers of weights and forms that the target does not take. This happens before
/// samples are run.
///
/// # Errors
/// There is such an encoding or override, or there are such integers or forms.
pub fn check_encodings(bundle: &Bundle, partitions: &[Partition], recipe: &Recipe, given: &GivenFiles) -> Result<()> {
    given.resolved(bundle, partitions)?.refuse_equalized(partitions, recipe)?;
    let target = bundle.target()?;
    if given.is_empty() {
        // Encodings that are kept count before what a recipe says.
        let within = |error: Error| error.within(format!("recipe `{}`", recipe.name));
        refuse_untaken_weights(partitions, recipe, &target).map_err(within)?;
    }
    refuse_untaken_forms(partitions, recipe, &target)?;
    refuse_idle_overrides(partitions, recipe)
}

/// Runs the stage, with the recipe that calibration left in the bundle, or with `other` that has the same samples.
/// Encodings that are given stand in place of what calibration found.
///
/// # Errors
/// The other recipe would have given other statistics.
pub fn quantize(
    bundle: &mut Making,
    other: Option<&Recipe>,
    given: &GivenFiles,
    progress: &dyn Progress,
) -> Result<()> {
    let (driver, mut recipe) = (of_bundle(bundle)?, Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?);
    if let Some(other) = other {
        refuse_other_statistics(bundle, &*driver, &recipe, other)?;
        recipe = other.clone();
    }
    let partitions = bundle.partitions()?;
    recipe.refuse_other_groups(&groups(&partitions))?;
    check_encodings(bundle, &partitions, &recipe, given)?;
    let (statistics, mut made) = (bundle.statistics()?, Quantized::default());
    for group in groups(&partitions) {
        let of = (&*driver, partitions.as_slice());
        made.extend(quantize_group(bundle, of, &group, &statistics, &recipe, given, progress)?);
    }
    made.note(bundle, &*driver)?;
    keep_recipe(bundle, &recipe)?;
    bundle.manifest.given_encodings = keep_given(bundle, given)?;
    let warnings = warn_of_given(bundle, &partitions, given)?;
    bundle.manifest.warnings.extend(warnings);
    Ok(())
}

/// Refuses a recipe with which calibration would have recorded other statistics than those in the bundle.
fn refuse_other_statistics(bundle: &Making, driver: &dyn Driver, calibrated: &Recipe, other: &Recipe) -> Result<()> {
    let refused = |place: String, message: String| {
        Err(Error::input(place, message).help(
            "only bits may differ from the recipe that `calibrate` ran with; else run `autoneural calibrate` first",
        ))
    };
    if let Some((place, message)) = calibrated.other_statistics(other) {
        return refused(place, message);
    }
    let known: Vec<InputRecord> = bundle.json(INPUTS)?;
    for record in driver.inputs(bundle, other, &other.calibration)? {
        let same_name = known.iter().find(|one| one.path == record.path);
        if same_name.is_none_or(|one| one.sha256 != record.sha256) {
            let message = format!("`{}` is not the picture or file that `calibrate` ran with", record.path);
            return refused(other.path().display().to_string(), message);
        }
    }
    Ok(())
}

/// What the manifest says of quantized groups.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Quantized {
    records: Vec<PartitionRecord>,
    warnings: Vec<Warning>,
}

impl Quantized {
    /// Adds what is said of another group.
    pub fn extend(&mut self, other: Quantized) {
        self.records.extend(other.records);
        self.warnings.extend(other.warnings);
    }

    /// Writes it into the manifest, with what it means for a host.
    ///
    /// # Errors
    /// Ports without the encodings that they have.
    pub fn note(self, bundle: &mut Making, driver: &dyn Driver) -> Result<()> {
        driver.describe(&mut bundle.manifest.host, &self.records)?;
        bundle.manifest.partitions = self.records;
        bundle.manifest.set_warnings(Stage::Quantize.name(), self.warnings);
        note_models(bundle)
    }
}

/// Names the models in the manifest, as far as they are there.
///
/// # Errors
/// A context model that cannot be read.
pub fn note_models(bundle: &mut Making) -> Result<()> {
    let target = bundle.target()?;
    bundle.manifest.models = models_of(bundle, &target)?;
    bundle.manifest.runtime = Some(RuntimeRecord::of(&target));
    Ok(())
}

/// Copies given encodings into the bundle.
///
/// # Errors
/// A file cannot be written.
pub fn keep_given(bundle: &Making, given: &GivenFiles) -> Result<Vec<GivenRecord>> {
    bundle.unit("quantize/given", FOLDER, given.key(), &Silent, |folder| given.copy_to(folder))
}

/// Warnings about given encodings under which weights are lost.
///
/// # Errors
/// Given encodings do not fit the graphs, or the bundle cannot be read.
pub fn warn_of_given(bundle: &Making, partitions: &[Partition], given: &GivenFiles) -> Result<Vec<Warning>> {
    if given.is_empty() {
        return Ok(vec![]);
    }
    let key = bundle.key(given.key(), |path| of_graphs(path).is_some())?;
    bundle.unit("quantize/lost", "", key, &Silent, |_| {
        let learned = given.resolved(bundle, partitions)?;
        Ok(autoneural_core::quantize::warn_of_lost(partitions, &learned, Stage::Quantize.name()))
    })
}

/// A warning for each way in which encodings that are kept were settled, with the names.
fn warn_of_settled(group: &Group, settled: &[Settled]) -> Vec<Warning> {
    let mut by_message: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Settled { message, name } in settled {
        by_message.entry(message).or_default().push(format!("`{name}`"));
    }
    let warning = |(message, names): (&str, Vec<String>)| {
        Warning::new(Stage::Quantize.name(), group.name(), format!("encoding of {} {message}", listed(&names)))
    };
    by_message.into_iter().map(warning).collect()
}

/// Makes the encodings of one group and the records of its partitions, and warns of what is unusual in its numbers.
/// `statistics` must hold at least those of the [`decisive`] groups.
///
/// # Errors
/// Encodings cannot be made (see [`autoneural_core::quantize::quantize`]), or files cannot be read or written.
pub fn quantize_group(
    bundle: &Making,
    (driver, partitions): (&dyn Driver, &[Partition]),
    group: &Group,
    statistics: &StatisticsTable,
    recipe: &Recipe,
    given: &GivenFiles,
    progress: &dyn Progress,
) -> Result<Quantized> {
    let whole = statistics;
    let statistics = statistics.of(&decisive(partitions, group));
    let all_groups = groups(partitions);
    let (scales, evidence) = (recipe.part(group)?.weight_scales, KeptEvidence(bundle));
    let mut of_scales = BTreeSet::new();
    for layer in layers(partitions, group) {
        let of = |want| LayerEvidence::new(&layer, &evidence, false).asks(want);
        of_scales.extend(scales.wants(&layer).into_iter().flat_map(of).map(|ask| KeptEvidence::path(&ask)));
    }
    // Graphs of all groups tell which values are tied to which.
    let key = bundle.key(given.key(), |path| {
        let file = of_graphs(path).unwrap_or_default();
        file == "target.toml"
            || group.owns(file)
            || driver.decides(group, file)
            || of_scales.contains(path)
            || is_coverage(path)
            || all_groups.iter().any(|c| c.owns(file)) && file.ends_with(".json")
    })?;
    let key = key.and("bits", recipe.bits()).setting("statistics", &statistics);
    let name = format!("quantize/{}", group.name());
    bundle.unit(&name, FOLDER, key, progress, |folder| {
        progress.start(&format!("quantize {}", group.name()), 1);
        // Mapped anew, so that weights that were read leave memory at the end.
        let partitions = bundle.partitions()?;
        let target = bundle.target()?;
        let learned = given.resolved(bundle, &partitions)?;
        let noting = Noting::new(&evidence);
        let seen = (&statistics, &noting as &dyn EvidenceSource);
        let made = autoneural_core::quantize::quantize(&partitions, group, seen, recipe, &target, &learned);
        let (made, settled) = made.map_err(|error| match learned.is_of_file(&error) {
            true => error,
            false => error.within(format!("recipe `{}`", recipe.name)),
        })?;
        let mut records = Vec::new();
        let own = partitions.iter().filter(|partition| partition.group == *group);
        for (partition, (table, counts)) in own.zip(&made) {
            encodings::write(table, &partition.graph, &folder.join(format!("{}.json", partition.name)))?;
            let segments = SegmentRecord::all(partition, table, &segments(partition, table, &target)?)?;
            let scheme = table.scheme(&partition.graph).unwrap_or(recipe.part(group)?.scheme());
            records.push(PartitionRecord::new(partition, table, *counts, scheme, segments));
        }
        let tables: Vec<&Table> = made.iter().map(|(table, _)| table).collect();
        let coverage = coverage(bundle)?;
        let mut warnings =
            of_ranges(&partitions, group, &tables, Seen { statistics: &statistics, coverage: &coverage });
        warnings.extend(of_given(&partitions, group, &tables, (&learned, &statistics)));
        warnings.extend(of_moments(&noting.doubtful(), scales.name(), group, Stage::Quantize.name()));
        warnings.extend(of_cuts(&partitions, group, &tables, &statistics, Stage::Quantize.name()));
        warnings.extend(of_idle_keys(&partitions, group, recipe.part(group)?, Stage::Quantize.name()));
        warnings.extend(of_sums(&partitions, group, &tables, &target, Stage::Quantize.name()));
        warnings.extend(of_constants(&partitions, group, &tables));
        warnings.extend(warn_of_settled(group, &settled));
        warnings.extend(driver.warn_of_encodings(bundle, group, &tables, whole)?);
        progress.finish();
        Ok(Quantized { records, warnings })
    })
}
