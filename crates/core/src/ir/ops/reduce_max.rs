//! The largest over axes.

use serde::{Deserialize, Serialize};

use super::reduction::reduction;

/// Largest element over some axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReduceMax {
    /// The axes, in ascending order, each once.
    pub axes: Vec<usize>,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

reduction!(ReduceMax, 18, |row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max));
