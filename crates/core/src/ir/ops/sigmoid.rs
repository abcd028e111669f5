//! The logistic function.

use serde::{Deserialize, Serialize};

use super::arithmetic::sigmoid;
use super::elementwise::{Over, elementwise};

/// Logistic function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sigmoid;

elementwise!(Sigmoid, 6, Over::ToTheEnds, sigmoid);
