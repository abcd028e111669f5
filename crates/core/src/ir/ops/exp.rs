//! The exponential function.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Exponential function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exp;

elementwise!(Exp, 6, Over::Real, f64::exp);
