//! Mish.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `x * tanh(ln(1 + exp(x)))` (Misra, arXiv 1908.08681).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mish;

elementwise!(Mish, 18, Over::Real, |x| x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh());
