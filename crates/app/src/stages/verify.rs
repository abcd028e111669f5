//! Verify: all engines run the verification samples; the report says how far they are apart.

use super::coverage::coverage;
use super::known::{FROM_ELSEWHERE, Known, NPU, SIMULATION};
use super::layers::{knows_layers, measure_layers};
use super::looks;
use crate::as_built;
use crate::drivers::{Driver, Engines, GoldenExtent, LoadAny, Run, and_samples, of_bundle};
use crate::report::{Advisor, Demands, Report, coverage_of, weak_outputs};
use crate::tune::Tuned;
use crate::verify::{Extent, LoadEngines, On};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{GivenFiles, Key, Making, RECIPE, REPORT, Stage, is_behind_figures};
use autoneural_core::partition::Partition;
use autoneural_core::program::groups;
use autoneural_core::quantize::Sources;
use autoneural_core::recipe::Recipe;
use autoneural_engines::back::qnn::{Compiler, Runtime};
use autoneural_engines::engine::{Engine, Reference};

/// What is compared, and what is demanded of it.
pub struct Comparing<'a> {
    /// How much of the outputs.
    pub extent: &'a Extent,
    /// Engines on which layers are measured, too.
    pub layers: &'a [On],
    /// Engines that make golden vectors; as many as compare outputs, if not given.
    pub golden: Option<GoldenExtent>,
    /// When it is good enough.
    pub demands: Demands,
}

/// Runs the stage on as much as `what` states. Columns of the report whose engine is missing stay empty. Earlier
/// figures of the same models, samples and engines are taken over, and compared with the demands again.
///
/// # Errors
/// The recipe or its goals do not fit the program, the bundle or a sample cannot be read, an engine cannot be loaded or
/// fails, or the report cannot be written.
pub fn verify(
    bundle: &mut Making,
    recipe: &Recipe,
    runtime: Option<&Runtime>,
    what: &Comparing,
    progress: &dyn Progress,
) -> Result<Report> {
    let (driver, partitions) = (of_bundle(bundle)?, bundle.partitions()?);
    recipe.refuse_other_groups(&groups(&partitions))?;
    recipe.refuse_idle_goals(&partitions)?;
    driver.refuse_unfit(recipe, &partitions)?;
    let unknown = |message: String| Error::input("what is verified", message);
    what.extent.refuse_unknown(&bundle.program()?).map_err(unknown)?;
    let built = bundle.manifest.has(Stage::Build.name());
    let has_npu = built && runtime.is_some_and(Runtime::has_npu);
    let missing = [(runtime.is_none(), SIMULATION), (!has_npu, NPU)];
    let left_out: Vec<String> = missing.iter().filter(|(is, _)| *is).map(|(_, what)| what.to_string()).collect();
    if built {
        bundle.check_contexts()?;
    }
    let known = Known::read(bundle, &*driver, recipe, runtime, &partitions)?;
    let mut extent = what.extent.clone();
    let mut key = outputs_key(bundle, &*driver, recipe, runtime, &left_out, &extent)?;
    // What a run before last found need not be found again.
    if !bundle.knows(OUTPUTS, &key)? && known.covers(&extent, &partitions, [runtime.is_some(), has_npu]) {
        extent = Extent::none();
        key = outputs_key(bundle, &*driver, recipe, runtime, &left_out, &extent)?;
    }
    let mut report = bundle.unit(OUTPUTS, "", key, progress, |_| {
        let (target, tables) = (bundle.target()?, bundle.tables(&partitions)?);
        let reference = |partition: &Partition| -> Result<Box<dyn Engine>> {
            Ok(Box::new(Reference::load(partition, &bundle.float_model(partition))?))
        };
        let mut engines = |partition: &Partition| -> Result<Engines> {
            let Some(runtime) = runtime else { return Ok(Engines::default()) };
            let simulated = Some(runtime.simulate(partition, &bundle.quantized_model(partition))?);
            let context = || runtime.open_segments(partition, &bundle.segments(partition)?, &bundle.path(""), &target);
            Ok(Engines { simulated, npu: has_npu.then(context).transpose()? })
        };
        let run = Run { bundle, partitions: &partitions, recipe, progress };
        let loads: (Box<LoadAny>, &mut LoadEngines) = (Box::new(reference), &mut engines);
        let comparison = crate::verify::verify(&*driver, &run, &tables, loads, &extent)?;
        Report::new(bundle, &partitions, &tables, &comparison, (recipe, &extent), left_out)
    })?;
    for group in groups(&partitions) {
        let of_group = |partition: &&Partition| partition.group == group;
        if !partitions.iter().filter(of_group).any(|partition| what.extent.includes(partition)) {
            continue;
        }
        let mut found = as_built::compare(bundle, &group, &partitions, progress)?;
        for partition in &mut report.partitions {
            partition.frozen = found.remove(&partition.name).or(partition.frozen.take());
        }
    }
    // Only on engines that are here.
    let mut engines = what.layers.to_vec();
    engines.retain(|on| *on == On::Simulation || runtime.is_some_and(Runtime::has_npu));
    if let Some(runtime) = runtime
        && !engines.is_empty()
        && (knows_layers(bundle, recipe, runtime, (what.extent, &engines))?
            || !known.covers_layers(what.extent, &partitions, &engines))
    {
        let found = measure_layers(bundle, recipe, runtime, (what.extent, &engines), progress)?;
        for (partition, found) in report.partitions.iter_mut().zip(found) {
            (partition.layers, partition.layer_step) = (found.layers, found.step);
        }
    }
    report.samples.images = driver.inputs(bundle, recipe, &recipe.verification)?;
    report.samples.prompts = driver.prompts(bundle, recipe)?;
    let warnings = looks::warnings(bundle, &*driver, recipe, Stage::Verify)?;
    bundle.manifest.set_warnings(Stage::Verify.name(), warnings);
    let golden = (what.golden, golden_extent(what.extent));
    driver.make_golden(bundle, recipe, runtime, golden, progress)?;
    bundle.finish_stage(Stage::Verify)?;
    report.goals.clone_from(&recipe.goals);
    report.stages.clone_from(&bundle.manifest.stages);
    report.warnings.clone_from(&bundle.manifest.warnings);
    // Answers of the same models stay true; those of a report from elsewhere nobody can vouch for.
    if let Some(old) = known.evaluations() {
        match (known.is_ours(), bundle.has_same_models()?) {
            (true, true) => {
                report.evaluations.clone_from(&old.evaluations);
                report.array_evaluations.clone_from(&old.array_evaluations);
                report.texts.clone_from(&old.texts);
            }
            (is_ours, _) => report.warnings.push(evaluations_dropped(is_ours)),
        }
    }
    let dropped = known.merge_into(&mut report, &*driver, &partitions);
    report.warnings.extend(dropped);
    report.judge(what.demands);
    explain(bundle, &partitions, &mut report)?;
    bundle.put(REPORT, &report.text()?)?;
    Ok(report)
}

/// The unit of work that compares outputs.
const OUTPUTS: &str = "verify";

/// What the comparison of outputs reads.
fn outputs_key(
    bundle: &Making,
    driver: &dyn Driver,
    recipe: &Recipe,
    runtime: Option<&Runtime>,
    left_out: &[String],
    extent: &Extent,
) -> Result<Key> {
    let key = bundle.key(Key::new(), is_behind_figures)?;
    let manifest = &bundle.manifest;
    let described = serde_json::to_string(&(&manifest.partitions, &manifest.given_encodings));
    let key = key
        .and("described", described.map_err(|error| Error::internal("manifest", error))?)
        .setting("of", &(&manifest.model, &manifest.target, &left_out))
        .and("toolkit", runtime.map_or("", Compiler::identity))
        .setting("recipe", &(&recipe.name, recipe.steps()))
        .setting("extent", extent);
    and_samples(driver, key, bundle, recipe, &recipe.verification)
}

/// The engines of golden vectors where nothing is asked for: as much as is compared. One step of a large model takes
/// minutes on the emulator, and golden vectors have no gaps.
fn golden_extent(compared: &Extent) -> GoldenExtent {
    match compared {
        whole if whole.is_whole() => GoldenExtent::Npu,
        none if none.partitions.as_deref().is_some_and(<[String]>::is_empty) => GoldenExtent::None,
        _ => GoldenExtent::Simulated,
    }
}

fn evaluations_dropped(is_ours: bool) -> Warning {
    let why = if is_ours { "the models changed" } else { FROM_ELSEWHERE };
    Warning::new(Stage::Verify.name(), "evaluations", format!("they were dropped: {why}"))
        .help("run `autoneural eval` again")
}

/// Says of weak outputs what their noise comes from.
fn explain(bundle: &Making, partitions: &[Partition], report: &mut Report) -> Result<()> {
    let (tables, target) = (bundle.tables(partitions)?, bundle.target()?);
    let recipe = Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?;
    let given = GivenFiles::of_bundle(bundle)?.resolved(bundle, partitions)?;
    let sources = Sources::new(partitions, &bundle.statistics()?, &recipe, &target, &given)?;
    let tuned = Tuned::beside(bundle);
    report.calibration = coverage_of(partitions, &coverage(bundle)?, (&sources, &recipe))?;
    let (sources, tuned) = (&sources, tuned.as_ref());
    let advisor = Advisor { partitions, tables: &tables, sources, recipe: &recipe, target: &target, tuned };
    let verdict = report.verdict.clone();
    for (at, found) in report.partitions.iter_mut().enumerate() {
        found.weak = weak_outputs((&partitions[at], &tables[at]), found, &verdict, &advisor);
    }
    Ok(())
}
