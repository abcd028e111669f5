//! The graphs of a model, built of its definition and of tensors by name.

use std::collections::BTreeMap;

use super::definition::{Definition, Vision};
use super::weights::{Tensors, Weights};
use super::{internvit, language, mobilenetv5, projector};
use autoneural_base::error::Result;
use autoneural_core::ir::{Constant, Graph};

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
    pub embeddings: Constant,
}

/// The graphs of a model, and which tensors they are made of, by full name.
pub struct Assembled {
    /// The graphs.
    pub model: Model,
    /// Tensors that are used.
    pub used: Vec<String>,
    /// Biases that a model may be built without, and whether they are there; zeros stand in for those that are not.
    pub biases: BTreeMap<String, bool>,
}

/// Builds all graphs of the model from tensors that are nowhere looked into.
///
/// # Errors
/// A tensor that cannot be had, a dimension that is impossible.
pub fn assemble(definition: &Definition, tensors: &dyn Tensors) -> Result<Assembled> {
    let weights =
        |component, prefixes: &[String], firsts: &[&'static str]| Weights::new(tensors, component, prefixes, firsts);
    let (names, of_language) = (&definition.weights, &definition.language);
    let vision_first = match definition.vision {
        Vision::MobileNetV5(_) => mobilenetv5::FIRST_TENSOR,
        Vision::InternVit(_) => internvit::FIRST_TENSOR,
    };
    let vision = weights("vision", &names.vision, &[vision_first])?;
    let projector =
        weights("projector", &names.projector, &projector::namings(&definition.vision).map(|(first, _)| first))?;
    let language = weights("language", &names.language, &[language::first_tensor(of_language.family)])?;
    let head = language::head(of_language, &language, &names.head)?;
    let model = Model {
        vision: match &definition.vision {
            Vision::MobileNetV5(v) => mobilenetv5::build(v, &vision)?,
            Vision::InternVit(v) => internvit::build(v, &vision)?,
        },
        projector: projector::build(definition, &projector)?,
        prefill: language::build(of_language, &language, &head, language::Phase::Prefill)?,
        decode: language::build(of_language, &language, &head, language::Phase::Decode)?,
        embeddings: language::embeddings(of_language, &language)?,
    };
    let parts = [&vision, &projector, &language];
    let used = parts.map(Weights::used).concat();
    Ok(Assembled { model, used, biases: parts.into_iter().flat_map(Weights::biases).collect() })
}
