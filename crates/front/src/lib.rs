//! The front end: a model definition and a checkpoint go in, graphs in the IR come out.

mod blocks;
mod built_in;
mod check;
mod checkpoint;
mod component;
mod contract;
mod definition;
mod definition_file;
mod hub;
mod internvit;
mod language;
mod layout;
mod mobilenetv5;
mod names;
pub mod onnx;
mod preprocessor;
mod projector;
mod recorder;
mod role;
mod warnings;
mod weights;

pub use built_in::built_in_names;
pub use checkpoint::{Beside, Checkpoint, SetAside, TensorInfo, WeightsPlace};
pub use component::Component;
pub use contract::{DRIVER, GRAPHS, as_built, partition, program, refuse_unfit};
pub use definition::{
    Activation, Definition, InternVit, Language, LanguageFamily, LayerKind, MobileNetV5, Msfa, Preprocess, Projector,
    Resize, Tokens, Vision, WeightNames,
};
pub use definition_file::DefinitionFile;
pub use hub::kind_of_file;
pub use language::{DECODE, MASKED, PREFILL};
pub use layout::{ComponentLayout, Layout, Misshapen};
pub use recorder::Recorder;
pub use role::Role;
pub use warnings::warnings;
pub use weights::{AbsentBiases, Tensors, Weights, absent_biases};

use std::collections::BTreeMap;

use autoneural_base::error::{Error, Kind, Result};
use autoneural_base::progress::Progress;
use autoneural_core::ir::Graph;

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
    pub embeddings: autoneural_core::ir::Constant,
}

/// Builds all graphs of the model and checks that the checkpoint holds what they need and nothing else.
///
/// # Errors
/// A tensor that is missing, superfluous, misshapen, of a wrong type, or not finite, named with its file.
pub fn build(definition: &Definition, checkpoint: &Checkpoint, progress: &dyn Progress) -> Result<Model> {
    let definition = &names::resolved(definition, &checkpoint.given());
    let Assembled { model, used, biases } =
        assemble(definition, checkpoint).map_err(|error| hint(error, definition, checkpoint))?;
    if let Some(name) = absent_biases(&biases).missing.first() {
        let message = format!("tensor `{}` is missing; other layers have theirs", checkpoint::unmarked(name));
        return Err(Error::input(checkpoint.path().display(), message)
            .help("`autoneural inspect` lists what the checkpoint holds"));
    }
    checkpoint.refuse_extra(&used, &definition.weights)?;
    progress.start("read weights", used.len() as u64);
    for name in &used {
        checkpoint.refuse_non_finite(name)?;
        progress.tick(name);
    }
    progress.finish();
    Ok(model)
}

/// An error about tensors, with the model whose checkpoint this is if it is another's.
fn hint(error: Error, definition: &Definition, checkpoint: &Checkpoint) -> Error {
    match Layout::recognize(checkpoint) {
        Ok(Some((layout, _))) if error.kind == Kind::Input && layout.is_whole() && layout.model != definition.name => {
            let file = &layout.definition;
            error.help(format!("this is a checkpoint of {}, whose definition is {file}", layout.model))
        }
        _ => error,
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
