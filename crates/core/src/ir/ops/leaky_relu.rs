//! The rectifier with a slope below zero.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `x` above zero, `alpha x` below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeakyRelu {
    /// Slope below zero.
    pub alpha: f32,
}

elementwise!(LeakyRelu { alpha: 0.01 of [0.01, 0.25, 1.5] }, 6, Over::Real, |x, [alpha]| {
    if x < 0.0 { alpha * x } else { x }
});
