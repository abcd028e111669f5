//! Build: quantized models become context binaries.

use crate::back::bundle::{Bundle, Key};
use crate::back::onnx::DataWriter;
use crate::back::qnn::Runtime;
use crate::error::Result;
use crate::partition::Partition;
use crate::progress::Progress;

/// Runs the stage with a runtime that has the NPU compiler.
pub fn build(bundle: &Bundle, runtime: &Runtime, progress: &dyn Progress) -> Result<()> {
    bundle.partitions()?.iter().try_for_each(|partition| build_partition(bundle, partition, runtime, progress))
}

/// The context binary of one partition.
pub fn build_partition(
    bundle: &Bundle,
    partition: &Partition,
    runtime: &Runtime,
    progress: &dyn Progress,
) -> Result<()> {
    let (name, target) = (&partition.name, bundle.target()?);
    let files = [format!("qdq/{name}.onnx"), format!("qdq/{}", DataWriter::name_of(partition.component))];
    let key = bundle.key(Key::new(), |path| files.iter().any(|file| file == path))?;
    let key = key.setting("soc", &target.soc).and("toolkit", runtime.identity());
    bundle.unit(&format!("build/{name}"), "context", key, progress, |folder| {
        progress.start(&format!("build {name}"), 1);
        progress.begin(name);
        let model = bundle.quantized_model(partition);
        runtime.compile(partition, &model, &target, &folder.join(format!("{name}.onnx")))?;
        progress.tick(name);
        progress.finish();
        Ok(())
    })
}
