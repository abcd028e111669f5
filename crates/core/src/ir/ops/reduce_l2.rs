//! Lengths over axes.

use serde::{Deserialize, Serialize};

use super::reduction::reduction;

/// Root of the sum of squares over some axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReduceL2 {
    /// The axes, in ascending order, each once.
    pub axes: Vec<usize>,
    /// Whether they stay, with size 1.
    pub keepdims: bool,
}

reduction!(ReduceL2, 18, |row| row.iter().map(|x| x * x).sum::<f64>().sqrt());
