//! A tensor to be made.

use super::recipe::Recipe;
use autoneural_core::ir::Shape;

/// A tensor to be made.
pub struct Tensor {
    /// Its name in the checkpoint.
    pub name: String,
    /// Sizes of its axes.
    pub shape: Shape,
    /// How its numbers are drawn.
    pub recipe: Recipe,
}

impl Tensor {
    /// Numbers in it.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of them.
    pub fn bytes(&self) -> u64 {
        2 * self.elements() as u64
    }
}
