//! Models from anywhere, as ONNX files: a file goes in, a graph in the IR comes out.
//!
//! It goes in phases. *Read*: the file is checked, functions stand in the place of their calls (`inline`), and nodes are
//! brought into an order (`read`). *Shapes*: every axis of an input gets a number (`shapes`). *Pairs*: QuantizeLinear and
//! DequantizeLinear come off (`pairs`). *Fold*: what depends on constants only is computed (`fold`). *Node by node*:
//! operators are those of the IR ([`autoneural_core::ir::ops::OpKind::of_onnx`]), or are spelled in others (`spell`).
//! *Patterns*: what models spell out in several nodes becomes one operator where the IR has it (`patterns`). What cannot
//! be read is collected, and told all at once (`unsupported`).
//!
//! Values keep their names. A node gets the name of its first output, as everywhere in the IR.

mod body;
#[cfg(test)]
mod film_tests;
mod finite;
mod fold;
#[cfg(test)]
mod image_tests;
mod import;
mod inline;
mod inputs;
mod lookups;
mod making;
mod model;
#[cfg(test)]
mod nested_tests;
mod numbers;
mod order;
mod outputs;
mod pairs;
mod patterns;
mod pooled;
mod read;
mod renamed;
mod shapes;
mod spell;
#[cfg(test)]
mod spelled_tests;
#[cfg(test)]
mod still_tests;
mod tensors;
#[cfg(test)]
mod tests;
mod unshare;
mod unsupported;

use std::path::Path;

use autoneural_base::error::Result;

pub use autoneural_onnx::is_model;
pub use import::{Imported, import};
pub use outputs::demand_computed_reals;
pub use shapes::StatedShape;

/// Names of a model's inputs, constants that are listed among them not counted.
///
/// # Errors
/// A file that is no ONNX model.
pub fn input_names(path: &Path) -> Result<Vec<String>> {
    let graph = autoneural_onnx::read(path)?.graph.unwrap_or_default();
    let is_constant = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    Ok(graph.input.iter().filter(|info| !is_constant(&info.name)).map(|info| info.name.clone()).collect())
}
