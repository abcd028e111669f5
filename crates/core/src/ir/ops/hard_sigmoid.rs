//! The logistic function in straight lines.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `clamp(alpha x + beta, 0, 1)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HardSigmoid {
    /// Slope between the ends.
    pub alpha: f32,
    /// Value at zero.
    pub beta: f32,
}

elementwise!(
    HardSigmoid { alpha: 0.2 of [0.2, 0.5], beta: 0.5 of [0.5, 0.25] },
    6,
    Over::ToTheEnds,
    |x, [alpha, beta]| (alpha * x + beta).clamp(0.0, 1.0)
);
