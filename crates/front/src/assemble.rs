//! The graphs of a model, built of its definition and of tensors by name.

use std::collections::BTreeMap;

use super::definition::{Definition, Vision};
use super::weights::{Tensors, Weights};
use super::{Component, internvit, language, mobilenetv5, projector};
use autoneural_base::error::Result;
use autoneural_core::ir::{Constant, Graph};

/// The graphs for pictures, before any pass.
pub struct SightGraphs {
    /// Image to visual features `[1, tokens, channels]`.
    pub vision: Graph,
    /// Visual features to language embeddings.
    pub projector: Graph,
}

/// The graphs of a model of language, with or without pictures, before any pass.
pub struct Model {
    /// Those for pictures; `None` for a model of text alone.
    pub sight: Option<SightGraphs>,
    /// A fixed number of tokens at once, with the state of the sequence as inputs and outputs.
    pub prefill: Graph,
    /// One token, with the state of the sequence as inputs and outputs.
    pub decode: Graph,
    /// The embedding table `[vocabulary, hidden]`, looked up on the host.
    pub embeddings: Constant,
}

impl Model {
    /// The graphs with the parts that they are of, in the order in which a picture and a prompt go through them.
    pub fn graphs(&self) -> Vec<(Component, &Graph)> {
        let of_pictures = self
            .sight
            .iter()
            .flat_map(|sight| [(Component::Vision, &sight.vision), (Component::Projector, &sight.projector)]);
        of_pictures.chain([&self.prefill, &self.decode].map(|graph| (Component::Language, graph))).collect()
    }
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

/// Builds all graphs of the model from tensors, without reading their numbers.
///
/// # Errors
/// A tensor that cannot be had, a dimension that is impossible.
pub fn assemble(definition: &Definition, tensors: &dyn Tensors) -> Result<Assembled> {
    let weights =
        |component, prefixes: &[String], firsts: &[&'static str]| Weights::new(tensors, component, prefixes, firsts);
    let (names, of_language) = (&definition.weights, &definition.language);
    let of_pictures = definition.sight.as_ref().map(|sight| -> Result<_> {
        let vision = weights("vision", &names.vision, &[first_of_vision(&sight.vision)])?;
        let firsts = projector::namings(&sight.vision).map(|(first, _)| first);
        Ok((vision, weights("projector", &names.projector, &firsts)?))
    });
    let of_pictures = of_pictures.transpose()?;
    let language = weights("language", &names.language, &[language::first_tensor(of_language.family)])?;
    let head = language::head(of_language, &language, &names.head)?;
    let sight = definition.sight.as_ref().zip(of_pictures.as_ref()).map(|(sight, (vision, projector))| {
        let vision = match &sight.vision {
            Vision::MobileNetV5(v) => mobilenetv5::build(v, vision)?,
            Vision::InternVit(v) => internvit::build(v, vision)?,
        };
        Ok(SightGraphs { vision, projector: projector::build(sight, of_language.hidden, projector)? })
    });
    let model = Model {
        sight: sight.transpose()?,
        prefill: language::build(of_language, &language, &head, language::Phase::Prefill)?,
        decode: language::build(of_language, &language, &head, language::Phase::Decode)?,
        embeddings: language::embeddings(of_language, &language)?,
    };
    let parts: Vec<&Weights> =
        of_pictures.iter().flat_map(|(vision, projector)| [vision, projector]).chain([&language]).collect();
    let used = parts.iter().flat_map(|part| part.used()).collect();
    Ok(Assembled { model, used, biases: parts.into_iter().flat_map(Weights::biases).collect() })
}

/// Tensor whose presence shows the prefix of a vision encoder.
pub(crate) fn first_of_vision(vision: &Vision) -> &'static str {
    match vision {
        Vision::MobileNetV5(_) => mobilenetv5::FIRST_TENSOR,
        Vision::InternVit(_) => internvit::FIRST_TENSOR,
    }
}
