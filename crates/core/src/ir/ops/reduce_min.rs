//! The smallest over axes.

use serde::{Deserialize, Serialize};

use super::reduction::reduction;

/// Smallest element over some axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReduceMin {
    /// The axes, in ascending order, each once.
    pub axes: Vec<usize>,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

reduction!(ReduceMin, 18, |row| row.iter().copied().fold(f64::INFINITY, f64::min));
