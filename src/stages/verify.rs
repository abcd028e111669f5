//! Verify: all engines run the verification samples; the report says how far they are apart.

use super::samples::{and_samples, images};
use super::{make_golden, measure_layers};
use crate::back::bundle::{Bundle, Key, LARGEST_JSON, REPORT, Stage, is_of_model};
use crate::back::qnn::{Compiler, Runtime};
use crate::engine::Reference;
use crate::error::{Error, Result};
use crate::golden;
use crate::host::Walk;
use crate::partition::Partition;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::report::{Demands, Report};
use crate::verify::{Engines, Extent, On};

/// What is compared, and what is demanded of it.
pub struct Comparing<'a> {
    /// How much of the outputs.
    pub extent: &'a Extent,
    /// Engines on which layers are measured, too.
    pub layers: &'a [On],
    /// Engines that make golden vectors.
    pub golden: golden::Extent,
    /// When it is good enough.
    pub demands: Demands,
}

/// Runs the stage on as much as is asked for. Columns whose engine is missing stay empty. Figures of the same models, samples and engines are taken over;
/// demands are held against them anew.
pub fn verify(
    bundle: &mut Bundle,
    recipe: &Recipe,
    runtime: Option<&Runtime>,
    what: &Comparing,
    progress: &dyn Progress,
) -> Result<Report> {
    let built = bundle.manifest.has(Stage::Build.name());
    let mut left_out = Vec::new();
    if runtime.is_none() {
        left_out.push("simulation".to_string());
    }
    if !built || !runtime.is_some_and(Runtime::has_npu) {
        left_out.push("NPU".to_string());
    }
    if built {
        bundle.check_contexts()?;
    }
    let mut key = bundle.key(Key::new(), |path| is_of_model(path) && !path.starts_with("calibration/"))?;
    let manifest = &bundle.manifest;
    let described = serde_json::to_string(&(&manifest.partitions, &manifest.given_encodings));
    key = key
        .and("described", described.map_err(|error| Error::internal("manifest", error))?)
        .setting("of", &(&manifest.model, &manifest.target, &left_out))
        .and("toolkit", runtime.map_or("", Compiler::identity))
        .setting("recipe", &(&recipe.name, recipe.decode_steps))
        .setting("extent", what.extent);
    key = and_samples(key, bundle, recipe, &recipe.verification)?;
    let mut report = bundle.unit("verify", "", key, progress, |_| {
        let (definition, target, partitions) = (bundle.definition()?, bundle.target()?, bundle.partitions()?);
        let tables = bundle.tables(&partitions)?;
        let reference = |partition: &Partition| Reference::load(partition, &bundle.float_model(partition));
        let mut walk = Walk::new(&definition, &partitions, &bundle.host_folder()?, Box::new(reference))?;
        let mut engines = |partition: &Partition| -> Result<Engines> {
            let Some(runtime) = runtime else { return Ok(Engines::default()) };
            let simulated = Some(runtime.simulate(partition, &bundle.quantized_model(partition))?);
            let has_npu = built && runtime.has_npu();
            let context = || runtime.open_segments(partition, &bundle.segments(partition)?, &bundle.path(""), &target);
            Ok(Engines { simulated, npu: has_npu.then(context).transpose()? })
        };
        let comparison = crate::verify::verify(
            &definition,
            &partitions,
            &tables,
            &mut walk,
            &mut engines,
            (recipe, what.extent),
            progress,
        )?;
        Report::new(bundle, &partitions, &tables, &comparison, (recipe, what.extent), left_out)
    })?;
    // Only on engines that are here.
    let mut engines = what.layers.to_vec();
    engines.retain(|on| *on == On::Simulation || runtime.is_some_and(Runtime::has_npu));
    if let Some(runtime) = runtime
        && !engines.is_empty()
    {
        let found = measure_layers(bundle, recipe, runtime, (what.extent, &engines), progress)?;
        report.partitions.iter_mut().zip(found).for_each(|(partition, layers)| partition.layers = layers);
    }
    report.samples.images = images(bundle, recipe, &recipe.verification)?;
    make_golden(bundle, recipe, runtime, what.golden, progress)?;
    bundle.finish_stage(Stage::Verify)?;
    report.judge(what.demands);
    report.stages.clone_from(&bundle.manifest.stages);
    report.warnings.clone_from(&bundle.manifest.warnings);
    // Answers of the same models stay true; those of a report from elsewhere nobody can vouch for.
    if bundle.has_same_models()?
        && let Some(old) = bundle.made_here_before(REPORT, LARGEST_JSON)
        && let Ok(old) = Report::parse(&old, &bundle.path(REPORT))
    {
        report.evaluations = old.evaluations;
    }
    bundle.put(REPORT, &report.text()?)?;
    Ok(report)
}
