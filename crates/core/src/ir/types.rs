//! The type of a tensor: sizes of its axes and the type of its elements.

use serde::{Deserialize, Serialize};

/// Sizes of the axes, outermost first. All shapes are static.
pub type Shape = Vec<usize>;

/// Element type of a value in the float graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// A number that gets an encoding.
    #[default]
    F32,
    /// An index.
    I32,
    /// An index, or a size of an axis.
    I64,
    /// True or false, as 1 and 0.
    Bool,
}

impl ElementType {
    /// Its name in printed graphs and in files.
    pub fn name(self) -> &'static str {
        match self {
            ElementType::F32 => "f32",
            ElementType::I32 => "i32",
            ElementType::I64 => "i64",
            ElementType::Bool => "bool",
        }
    }

    /// Bytes of one element in files.
    pub fn bytes(self) -> usize {
        match self {
            ElementType::F32 | ElementType::I32 => 4,
            ElementType::I64 => 8,
            ElementType::Bool => 1,
        }
    }

    /// Whether elements are real numbers, which get an encoding. All other types are exact, and no stage changes their
    /// values.
    pub fn is_real(self) -> bool {
        self == ElementType::F32
    }
}
