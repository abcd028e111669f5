//! The rectifier.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `max(x, 0)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relu;

elementwise!(Relu, 6, Over::Real, |x| x.max(0.0));
