//! The hyperbolic tangent.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Hyperbolic tangent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tanh;

elementwise!(Tanh, 6, Over::ToTheEnds, f64::tanh);
