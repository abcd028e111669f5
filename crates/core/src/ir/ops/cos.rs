//! The cosine.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Cosine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cos;

elementwise!(Cos, 7, Over::Real, f64::cos);
