//! Rounding upwards.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Smallest integer that is not below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ceil;

elementwise!(Ceil, 6, Over::Real, f64::ceil);
