//! Means over axes.

use serde::{Deserialize, Serialize};

use super::reduction::reduction;

/// Mean over some axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReduceMean {
    /// The axes, in ascending order, each once.
    pub axes: Vec<usize>,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

reduction!(ReduceMean, 18, |row| row.iter().sum::<f64>() / row.len() as f64);
