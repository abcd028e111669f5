//! Evaluation of models that take arrays: every sample of a set goes through all graphs on each engine. Of a set with
//! labels right classes are counted; every output is compared with float.

mod engines;
mod labels;
mod list;
mod record;
mod report;
mod set;
mod table;
mod target;

pub use report::{Agreement, ArraysEngine, ArraysReport, Classes, Differs};
pub use table::arrays_table;

use std::path::PathBuf;

use super::joined::journal as joined;
use super::journal::Journal;
use super::slices::Slices;
use crate::drivers::{Run, Takes, of_bundle};
use crate::samples::{Found as Samples, judging, spread};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, RECIPE};
use autoneural_core::recipe::{Recipe, Sample};
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::EngineKind;
use engines::Loaded;
use record::{Compared, Record, best};
use report::Found;
use set::Set;
use target::{Counted, counted, outputs};

/// What is evaluated, and how.
#[derive(Debug, Clone)]
pub struct ArraysPlan {
    /// Where the samples are: what `compile` takes, or a list of files with labels.
    pub set: PathBuf,
    /// Engines, float first where it is among them.
    pub kinds: Vec<EngineKind>,
    /// How many samples are run, evenly spread; `None` for all.
    pub limit: Option<usize>,
    /// A file with the names of all classes.
    pub classes: Option<PathBuf>,
    /// The output whose classes are counted; `None` if there is only one that can be.
    pub output: Option<String>,
    /// Whether labels are left out.
    pub is_unlabelled: bool,
    /// Whether a slice of them is run, or slices are joined.
    pub slices: Slices,
}

/// Runs the samples of a set on every engine. What was found before with the same models is not computed again.
/// Returns the figures, and what a person should know of the samples.
///
/// # Errors
/// A model that takes no arrays, samples that do not fit it, labels that are no classes of an output, an engine that
/// is missing or fails.
pub fn evaluate_arrays(
    bundle: &Bundle,
    plan: &ArraysPlan,
    runtime: Option<&Runtime>,
    progress: &dyn Progress,
) -> Result<(ArraysReport, Vec<Warning>)> {
    let (driver, partitions) = (of_bundle(bundle)?, bundle.partitions()?);
    let Takes::Arrays { groups, intakes } = driver.takes(&partitions) else {
        return Err(Error::input(bundle.path("").display(), "is of a model that is asked with words"));
    };
    let set = Set::read(&plan.set, &intakes, plan.is_unlabelled)?;
    let place = plan.set.display().to_string();
    let outputs = outputs(&partitions);
    let (counted, right) = match &set.labels {
        None if plan.classes.is_some() || plan.output.is_some() => {
            return Err(Error::input(place, "has no labels, so --classes and --output mean nothing").help(LABELLED));
        }
        None if !plan.kinds.contains(&EngineKind::Float) => {
            return Err(Error::input(place, "has no labels, so an engine can only be compared with float")
                .help(format!("add float to --on; or give labels: {LABELLED}")));
        }
        None => (None, None),
        Some(labels) => {
            let counted = counted(&outputs, &partitions, plan.output.as_deref());
            let counted = counted.map_err(|error| error.within(&place))?;
            let names = plan.classes.as_deref().map(labels::names).transpose()?;
            let right = labels.numbers(names.as_deref(), (&counted.name, counted.classes))?;
            (Some(counted), Some(right))
        }
    };
    let all: Vec<usize> = (0..set.found.entries.len()).collect();
    let chosen: Vec<usize> = spread(&all, plan.limit.unwrap_or(usize::MAX)).into_iter().copied().collect();
    let chosen = &chosen[plan.slices.range(chosen.len(), "samples")?];
    let entries = chosen.iter().map(|&at| set.found.entries[at].clone()).collect();
    let samples = Samples { entries, origin: set.found.origin.clone(), left_out: vec![] };
    let kept = Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?;
    let recipe = judging(kept, &samples, (&groups, &intakes), usize::MAX)?;
    driver.refuse_unfit(&recipe, &partitions)?;
    let warnings = driver.warnings(bundle, &recipe, "verification", "eval");

    let key = set.key(&recipe, counted.as_ref().map_or("", |counted| &counted.name));
    let journal: Journal<Record> = joined(&plan.slices, bundle, &key, &plan.kinds)?;
    let mut known = Vec::new();
    for &kind in &plan.kinds {
        known.push(journal.records(kind)?);
    }
    let (target, tables) = (bundle.target()?, bundle.tables(&partitions));
    // A bundle that was never quantized has no encodings, and needs none for float.
    let tables = match plan.kinds.iter().all(|kind| *kind == EngineKind::Float) {
        true => None,
        false => Some(tables?),
    };
    let mut loaded = Loaded::new((bundle, &target), (&partitions, tables.as_deref()), runtime);
    let run = Run { bundle, partitions: &partitions, recipe: &recipe, progress: &autoneural_base::progress::Silent };
    let mut made = Vec::with_capacity(chosen.len());
    progress.start("evaluate", chosen.len() as u64);
    for (at, (&number, sample)) in chosen.iter().zip(&recipe.verification).enumerate() {
        progress.begin(sample.title());
        let mut records: Vec<Option<Record>> = known.iter().map(|of| of.get(&number).cloned()).collect();
        let open = missing(&plan.kinds, &records);
        // Whoever is compared with float needs what it computes now.
        let mut float: Option<Vec<Option<Vec<f32>>>> = None;
        for engine in open {
            let kind = plan.kinds[engine];
            let walked = loaded.run(kind, &*driver, &run, (&recipe.verification[at..=at], &groups), &outputs);
            let made = walked.map_err(|error| error.within(&sample.place))?;
            let record = record(&made, float.as_deref(), counted.as_ref(), sample)?;
            if records[engine].as_ref() != Some(&record) {
                journal.add(kind, number, &record)?;
            }
            records[engine] = Some(record);
            if kind == EngineKind::Float {
                float = Some(made);
            }
        }
        let right = right.as_ref().map(|right| right[number]);
        made.push(Found { name: sample.title().into(), right, records: records.into_iter().flatten().collect() });
        progress.tick(sample.title());
    }
    progress.finish();
    let report =
        ArraysReport::new((&set.name, set.found.entries.len()), &plan.kinds, (&outputs, counted.as_ref()), &made);
    Ok((report, warnings))
}

/// How samples get labels.
const LABELLED: &str = "a folder of folders, one for each class; a .csv or .tsv of `file,label`; or an array `labels` \
                        beside the inputs of an .npz";

/// The engines that have to run a sample, by their places: those without a record, or whose record was made without
/// float; and float for them.
fn missing(kinds: &[EngineKind], records: &[Option<Record>]) -> Vec<usize> {
    let has_float = kinds.contains(&EngineKind::Float);
    let is_open = |at: &usize| match &records[*at] {
        None => true,
        Some(record) => kinds[*at] != EngineKind::Float && has_float && record.outputs.is_empty(),
    };
    let open: Vec<usize> = (0..kinds.len()).filter(is_open).collect();
    let is_needed = |at: &usize| open.contains(at) || (kinds[*at] == EngineKind::Float && !open.is_empty());
    (0..kinds.len()).filter(is_needed).collect()
}

/// What an engine made of a sample, and how far that is from float.
fn record(
    made: &[Option<Vec<f32>>],
    float: Option<&[Option<Vec<f32>>]>,
    counted: Option<&Counted>,
    sample: &Sample,
) -> Result<Record> {
    let classes = match counted {
        None => vec![],
        Some(counted) => match &made[counted.at] {
            Some(scores) => best(scores),
            None => {
                let message = format!("does not reach `{}`, whose classes are counted", counted.name);
                return Err(Error::input(&sample.place, message).help("give it an array for each input"));
            }
        },
    };
    let compare = |(float, made): (&Option<Vec<f32>>, &Option<Vec<f32>>)| match (float, made) {
        (Some(float), Some(made)) => Compared::of(float, made).map(Some),
        _ => Ok(None),
    };
    let outputs = float.map(|float| float.iter().zip(made).map(compare).collect::<Result<_>>()).transpose()?;
    Ok(Record { best: classes, outputs: outputs.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_known_is_run_and_float_with_it() {
        let kinds = [EngineKind::Float, EngineKind::Simulated, EngineKind::Npu];
        let known = |outputs: usize| Some(Record { best: vec![1], outputs: vec![None; outputs] });
        assert_eq!(missing(&kinds, &[known(0), known(1), known(1)]), [0usize; 0]);
        assert_eq!(missing(&kinds, &[known(0), known(1), None]), [0, 2]);
        // One that was made without float is made again.
        assert_eq!(missing(&kinds, &[None, known(0), known(1)]), [0, 1]);
        assert_eq!(missing(&kinds[1..], &[known(0), None]), [1]);
    }
}
