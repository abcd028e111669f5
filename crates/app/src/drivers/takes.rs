//! The kind of samples that a program takes.

use autoneural_core::ir::{ElementType, Shape};
use autoneural_core::program::Group;

/// The kind of samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    /// Text and pictures, which only a recipe can state.
    Words,
    /// Arrays.
    Arrays {
        /// The groups whose bits a recipe states, in order.
        groups: Vec<Group>,
        /// The inputs that samples fill.
        intakes: Vec<Intake>,
    },
}

/// An input that samples must provide, because no earlier graph hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// What it is called in recipes and files: its name, with the graph's before it where several have one.
    pub name: String,
    /// The graph that takes it.
    pub graph: String,
    /// Sizes of its axes.
    pub shape: Shape,
    /// Its elements.
    pub element: ElementType,
}

impl Intake {
    /// What it is, for messages.
    pub fn words(&self) -> String {
        let kind = if self.element == ElementType::F32 { "float32" } else { "int32" };
        format!("`{}` {kind} {:?}", self.name, self.shape)
    }
}
