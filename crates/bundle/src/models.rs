//! Which file of a bundle is what.

use std::path::Path;

use super::bundle::Bundle;
use super::model_record::{ContextRecord, ModelRecord};
use autoneural_base::error::Result;
use autoneural_core::program::Group;
use autoneural_core::segment::Device;
use autoneural_core::target::Target;
use autoneural_engines::back::onnx::DataWriter;
use autoneural_engines::back::qnn::Runtime;

/// The models of the partitions, with what the context models that are there say of their binaries.
///
/// # Errors
/// A context model that cannot be read, or refers to no binary beside it.
pub fn models_of(bundle: &Bundle, target: &Target) -> Result<Vec<ModelRecord>> {
    let mut made = Vec::new();
    for partition in &bundle.manifest.partitions {
        let data = format!("qdq/{}", DataWriter::name_of(&Group::of_graph(&partition.name)?));
        let whole = [(partition.name.clone(), Device::Npu)];
        let cut: Vec<_> = partition.segments.iter().map(|part| (part.name.clone(), part.device)).collect();
        for (segment, device) in if cut.is_empty() { whole.to_vec() } else { cut } {
            let model = format!("context/{segment}.onnx");
            let is_built = device == Device::Npu && bundle.has_file(&model);
            let context = is_built.then(|| context_of(bundle, &model, target)).transpose()?;
            let (partition, quantized) = (partition.name.clone(), format!("qdq/{segment}.onnx"));
            made.push(ModelRecord { partition, segment, device, quantized, data: data.clone(), context });
        }
    }
    Ok(made)
}

fn context_of(bundle: &Bundle, model: &str, target: &Target) -> Result<ContextRecord> {
    let facts = Runtime::facts_of(&bundle.path(model))?;
    let binary = Path::new(model).with_file_name(facts.binary).display().to_string();
    Ok(ContextRecord {
        binary,
        model: model.to_string(),
        graph: facts.graph,
        sdk_build: facts.sdk_build,
        soc_model: target.soc.soc_model,
        htp_arch: target.soc.htp_arch,
        vtcm_mb: target.soc.vtcm_mb,
    })
}
