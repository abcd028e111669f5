//! The scaled exponential linear unit.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `gamma x` above zero, `gamma alpha (exp(x) - 1)` below (Klambauer et al., arXiv 1706.02515).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selu {
    /// Minus the value far below zero, before scaling.
    pub alpha: f32,
    /// Slope above zero.
    pub gamma: f32,
}

elementwise!(
    Selu { alpha: 1.673_263_2 of [1.673_263_2, 0.5], gamma: 1.050_701 of [1.050_701, 2.0] },
    6,
    Over::Real,
    |x, [alpha, gamma]| gamma * if x < 0.0 { alpha * x.exp_m1() } else { x }
);
