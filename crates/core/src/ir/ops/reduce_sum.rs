//! Sums over axes.

use serde::{Deserialize, Serialize};

use super::reduction::reduction;

/// Sum over some axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReduceSum {
    /// The axes, in ascending order, each once.
    pub axes: Vec<usize>,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

reduction!(ReduceSum, 13, |row| row.iter().sum());
