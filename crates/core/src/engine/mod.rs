//! Engines run partitions. All of them take and return the same tensors, as real numbers or as integer codes.

mod kind;
mod tensor;

pub use kind::EngineKind;
pub use tensor::{Data, Tensor};

use autoneural_base::error::Result;

/// A partition that is loaded and can run.
pub trait Engine {
    /// Runs the partition once. Takes one tensor for each of its inputs, in order, and returns one for each output.
    ///
    /// # Errors
    /// Tensors of other shapes or types than the inputs have, or a failure of the engine.
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>>;
}

impl Engine for Box<dyn Engine> {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        (**self).run(inputs)
    }
}
