//! The place of the smallest along an axis.

use serde::{Deserialize, Serialize};

use super::arg::arg;

/// Place of the smallest element along an axis, the first one where several are alike. ONNX makes integers of it; here
/// they are real numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArgMin {
    /// The axis.
    pub axis: usize,
    /// Whether it stays, with size 1.
    pub keepdims: bool,
}

arg!(ArgMin, |element, found| element < found);
