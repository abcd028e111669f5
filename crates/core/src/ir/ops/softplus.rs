//! Softplus.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `ln(1 + exp(x))`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Softplus;

elementwise!(Softplus, 1, Over::Real, |x| x.max(0.0) + (-x.abs()).exp().ln_1p());
