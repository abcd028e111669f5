//! Engines: what can run a partition. All of them take and give the same tensors, in float or as integers.

mod kind;
mod tensor;

pub use kind::EngineKind;
pub use tensor::{Data, Tensor};

use autoneural_base::error::Result;

/// A partition that is loaded and can run.
pub trait Engine {
    /// Runs once: one tensor per input of the partition, in order; gives one per output.
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>>;
}

impl Engine for Box<dyn Engine> {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        (**self).run(inputs)
    }
}
