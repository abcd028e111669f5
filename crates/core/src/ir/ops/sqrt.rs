//! Square roots.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Square root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sqrt;

elementwise!(Sqrt, 6, Over::Positive, f64::sqrt);
