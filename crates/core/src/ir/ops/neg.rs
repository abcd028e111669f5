//! Negation.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Elementwise negation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neg;

elementwise!(Neg, 6, Over::Real, |x| -x);
