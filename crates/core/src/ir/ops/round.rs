//! Rounding to the nearest.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Nearest integer, the even one of two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round;

elementwise!(Round, 11, Over::Real, f64::round_ties_even);
