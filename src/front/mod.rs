//! The front end: a model definition and a checkpoint go in, graphs in the IR come out.

mod blocks;
mod checkpoint;
mod definition;
mod header;
mod lfm2;
mod mobilenetv5;
mod projector;
mod weights;

pub use checkpoint::{Checkpoint, TensorInfo};
pub use definition::{
    Activation, Definition, Language, LayerKind, Msfa, Preprocess, Projector, Resize, Tokens, Vision, WeightNames,
};
pub use lfm2::MASKED;
pub use weights::{Tensors, Weights};

use crate::error::Result;
use crate::ir::Graph;
use crate::progress::Progress;

/// The graphs of a vision-language model, before any pass.
pub struct Model {
    /// Image to visual features `[1, tokens, channels]`.
    pub vision: Graph,
    /// Visual features to language embeddings.
    pub projector: Graph,
    /// A fixed number of tokens at once, with the state of the sequence as inputs and outputs.
    pub prefill: Graph,
    /// One token, with the state of the sequence as inputs and outputs.
    pub decode: Graph,
    /// The embedding table `[vocabulary, hidden]`, looked up on the host.
    pub embeddings: crate::ir::Constant,
}

/// Builds all graphs of the model and checks that the checkpoint holds what they need and nothing else.
///
/// # Errors
/// A tensor that is missing, superfluous, misshapen, of a wrong type, or not finite, named with its file.
pub fn build(definition: &Definition, checkpoint: &Checkpoint, progress: &dyn Progress) -> Result<Model> {
    let (model, used) = assemble(definition, checkpoint)?;
    checkpoint.refuse_extra(&used, &definition.weights.ignore)?;
    progress.start("read weights", used.len() as u64);
    for name in &used {
        checkpoint.refuse_non_finite(name)?;
        progress.tick(name);
    }
    progress.finish();
    Ok(model)
}

/// Builds all graphs of the model from tensors that are nowhere looked into; also gives the full names of those used.
///
/// # Errors
/// A tensor that cannot be had, a dimension that is impossible.
pub fn assemble(definition: &Definition, tensors: &dyn Tensors) -> Result<(Model, Vec<String>)> {
    let weights = |component, prefixes: &[String], first: &str| Weights::new(tensors, component, prefixes, first);
    let vision = weights("vision", &definition.weights.vision, mobilenetv5::FIRST_TENSOR)?;
    let projector = weights("projector", &definition.weights.projector, projector::FIRST_TENSOR)?;
    let language = weights("language", &definition.weights.language, lfm2::FIRST_TENSOR)?;
    let head = lfm2::head(&definition.language, &language, &definition.weights.head)?;
    let model = Model {
        vision: mobilenetv5::build(&definition.vision, &vision)?,
        projector: projector::build(definition, &projector)?,
        prefill: lfm2::build(&definition.language, &language, &head, lfm2::Phase::Prefill)?,
        decode: lfm2::build(&definition.language, &language, &head, lfm2::Phase::Decode)?,
        embeddings: lfm2::embeddings(&definition.language, &language)?,
    };
    Ok((model, [vision.used(), projector.used(), language.used()].concat()))
}
