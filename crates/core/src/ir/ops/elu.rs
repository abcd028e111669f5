//! The exponential linear unit.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `x` above zero, `alpha (exp(x) - 1)` below (Clevert et al., arXiv 1511.07289).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Elu {
    /// Minus the value far below zero.
    pub alpha: f32,
}

elementwise!(Elu { alpha: 1.0 of [1.0, 0.5, 2.0] }, 6, Over::Real, |x, [alpha]| {
    if x < 0.0 { alpha * x.exp_m1() } else { x }
});
