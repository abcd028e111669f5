//! The front end: a model definition and a checkpoint go in, graphs in the IR come out.

mod assemble;
mod blocks;
mod built_in;
mod check;
mod checkpoint;
mod component;
mod contract;
mod definition;
mod definition_file;
mod definition_language;
mod hub;
mod internvit;
mod language;
mod language_names;
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

pub use assemble::{Assembled, Model, SightGraphs, assemble};
pub use built_in::built_in_names;
pub use checkpoint::{Beside, Checkpoint, SetAside, TensorInfo, WeightsPlace};
pub use component::Component;
pub use contract::{DRIVER, GRAPHS, as_built, partition, program, refuse_unfit, widest_program};
pub use definition::{
    Activation, Definition, InternVit, MobileNetV5, Msfa, Preprocess, Projector, Resize, Sight, Vision, WeightNames,
};
pub use definition_file::DefinitionFile;
pub use definition_language::{Language, LanguageFamily, LayerKind, Tokens};
pub use hub::kind_of_file;
pub use language::{DECODE, MASKED, PREFILL};
pub use layout::{ComponentLayout, Layout, Misshapen};
pub use recorder::Recorder;
pub use role::Role;
pub use warnings::warnings;
pub use weights::{AbsentBiases, Tensors, Weights, absent_biases};

use autoneural_base::error::{Error, Kind, Result};
use autoneural_base::progress::Progress;

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
