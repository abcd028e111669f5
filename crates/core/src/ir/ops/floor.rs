//! Rounding downwards.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Largest integer that is not above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Floor;

elementwise!(Floor, 6, Over::Real, f64::floor);
