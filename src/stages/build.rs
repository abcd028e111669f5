//! Build: quantized models become context binaries.

use crate::back::bundle::{Bundle, Stage};
use crate::back::qnn::Runtime;
use crate::error::Result;
use crate::progress::Progress;

/// Runs the stage with a runtime that has the NPU compiler.
pub fn build(bundle: &mut Bundle, runtime: &Runtime, progress: &dyn Progress) -> Result<()> {
    bundle.stage(Stage::Build, |bundle, folder| {
        let (partitions, target) = (bundle.partitions()?, bundle.target()?);
        progress.start("build", partitions.len() as u64);
        for partition in &partitions {
            progress.begin(&partition.name);
            let context = folder.join(format!("{}.onnx", partition.name));
            runtime.compile(partition, &bundle.quantized_model(partition), &target, &context)?;
            progress.tick(&partition.name);
        }
        progress.finish();
        Ok(())
    })
}
