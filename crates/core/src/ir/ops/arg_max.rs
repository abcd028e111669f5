//! The place of the largest along an axis.

use serde::{Deserialize, Serialize};

use super::arg::arg;

/// Place of the largest element along an axis, the first one where several are alike. ONNX makes integers of it; here
/// they are real numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArgMax {
    /// The axis.
    pub axis: usize,
    /// Whether it stays, with size 1.
    pub keepdims: bool,
}

arg!(ArgMax, |element, found| element > found);
