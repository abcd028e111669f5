//! Build: quantized models become context binaries.

use crate::back::bundle::{Bundle, Key};
use crate::back::onnx::DataWriter;
use crate::back::qnn::{Compiler, Job};
use crate::error::Result;
use crate::partition::Partition;
use crate::progress::Progress;

/// Runs the stage.
pub fn build(bundle: &Bundle, compiler: &dyn Compiler, progress: &dyn Progress) -> Result<()> {
    bundle.partitions()?.iter().try_for_each(|partition| build_partition(bundle, partition, compiler, progress))
}

/// The context binary of one partition.
pub fn build_partition(
    bundle: &Bundle,
    partition: &Partition,
    compiler: &dyn Compiler,
    progress: &dyn Progress,
) -> Result<()> {
    let (name, target) = (&partition.name, bundle.target()?);
    let files = [format!("qdq/{name}.onnx"), format!("qdq/{}", DataWriter::name_of(partition.component))];
    let key = bundle.key(Key::new(), |path| files.iter().any(|file| file == path))?;
    let key = key.setting("soc", &target.soc).and("toolkit", compiler.identity());
    bundle.unit(&format!("build/{name}"), "context", key, progress, |folder| {
        progress.start(&format!("build {name}"), 1);
        progress.begin(name);
        let model = bundle.quantized_model(partition);
        let (data, context) = (bundle.path(&files[1]), folder.join(format!("{name}.onnx")));
        let target_file = bundle.path("model/target.toml");
        let job =
            Job { name, model: &model, data: &data, target: &target, target_file: &target_file, context: &context };
        compiler.compile(&job)?;
        progress.tick(name);
        progress.finish();
        Ok(())
    })
}
