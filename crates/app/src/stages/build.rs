//! Build: quantized models become context binaries.

use super::note_models;
use autoneural_base::error::Result;
use autoneural_base::progress::Progress;
use autoneural_bundle::{Key, Making};
use autoneural_core::partition::Partition;
use autoneural_core::segment::Device;
use autoneural_engines::back::onnx::DataWriter;
use autoneural_engines::back::qnn::{Compiler, Job};

/// Runs the stage: builds the context binaries of all partitions.
///
/// # Errors
/// The bundle cannot be read, the toolkit is missing or refuses a model, or files cannot be written.
pub fn build(bundle: &mut Making, compiler: &dyn Compiler, progress: &dyn Progress) -> Result<()> {
    bundle.partitions()?.iter().try_for_each(|partition| build_partition(bundle, partition, compiler, progress))?;
    note_models(bundle)
}

/// Builds the context binaries of one partition: one for each segment on the NPU.
///
/// # Errors
/// As for [`build`].
pub fn build_partition(
    bundle: &Making,
    partition: &Partition,
    compiler: &dyn Compiler,
    progress: &dyn Progress,
) -> Result<()> {
    let (target, data) = (bundle.target()?, format!("qdq/{}", DataWriter::name_of(&partition.group)));
    for segment in bundle.segments(partition)?.iter().filter(|segment| segment.device == Device::Npu) {
        let (name, quantized) = (&segment.name, segment.quantized_file());
        let key = bundle.key(Key::new(), |path| path == quantized || path == data)?;
        let key = key.setting("soc", &target.soc).and("toolkit", compiler.identity()).and("layout", "noted");
        bundle.unit(&format!("build/{name}"), "context", key, progress, |folder| {
            progress.start(&format!("build {name}"), 1);
            progress.begin(name);
            let (model, data) = (bundle.path(&quantized), bundle.path(&data));
            let (context, target_file) = (folder.join(format!("{name}.onnx")), bundle.path("model/target.toml"));
            let job =
                Job { name, model: &model, data: &data, target: &target, target_file: &target_file, context: &context };
            compiler.compile(&job)?;
            progress.tick(name);
            progress.finish();
            Ok(())
        })?;
    }
    Ok(())
}
