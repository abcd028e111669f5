//! Magnitudes.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Magnitude.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Abs;

elementwise!(Abs, 6, Over::Real, f64::abs);
