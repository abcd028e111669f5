//! Reciprocals.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `1 / x`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reciprocal;

elementwise!(Reciprocal, 6, Over::Positive, f64::recip);
