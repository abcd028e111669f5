//! Verify: all engines run the verification samples; the report says how far they are apart.

use std::path::Path;

use crate::back::bundle::{Bundle, Stage};
use crate::back::qnn::Runtime;
use crate::engine::Reference;
use crate::error::Result;
use crate::host::Walk;
use crate::partition::Partition;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::report::{Demands, Report};
use crate::verify::Engines;

/// Runs the stage. Columns whose engine is missing stay empty.
pub fn verify(
    bundle: &mut Bundle,
    recipe_path: &Path,
    runtime: Option<&Runtime>,
    demands: Demands,
    progress: &dyn Progress,
) -> Result<Report> {
    let recipe = Recipe::read(recipe_path)?;
    let built = bundle.manifest.has(Stage::Build.name());
    let mut left_out = Vec::new();
    if runtime.is_none() {
        left_out.push("simulation".to_string());
    }
    if !built || !runtime.is_some_and(Runtime::has_npu) {
        left_out.push("NPU".to_string());
    }
    let mut report = bundle.stage(Stage::Verify, |bundle, path| {
        let (definition, target, partitions) = (bundle.definition()?, bundle.target()?, bundle.partitions()?);
        let tables = bundle.tables(&partitions)?;
        let reference = |partition: &Partition| Reference::load(partition, &bundle.float_model(partition));
        let mut walk = Walk::new(&definition, &partitions, &bundle.host_folder(), Box::new(reference))?;
        let mut engines = |partition: &Partition| -> Result<Engines> {
            let Some(runtime) = runtime else { return Ok(Engines::default()) };
            let simulated = Some(runtime.simulate(partition, &bundle.quantized_model(partition))?);
            let has_npu = built && runtime.has_npu();
            let context = || runtime.open_context(partition, &bundle.context_model(partition), &target);
            Ok(Engines { simulated, npu: has_npu.then(context).transpose()? })
        };
        let comparison =
            crate::verify::verify(&definition, &partitions, &tables, &mut walk, &mut engines, &recipe, progress)?;
        let report = Report::new(bundle, &partitions, &tables, &comparison, &recipe, demands, left_out)?;
        report.write(path)?;
        Ok(report)
    })?;
    // The report is written inside its own stage, so the time of that stage is added now.
    report.stages.clone_from(&bundle.manifest.stages);
    report.write(&bundle.path(crate::back::bundle::REPORT))?;
    Ok(report)
}
