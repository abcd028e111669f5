//! What a program's samples hold.

use super::tensors::Intake;
use autoneural_core::program::Group;

/// What samples hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    /// Words and pictures, which only a recipe has.
    Words,
    /// Arrays.
    Arrays {
        /// The groups that a recipe says the bits of, in order.
        groups: Vec<Group>,
        /// The inputs that samples fill.
        intakes: Vec<Intake>,
    },
}
