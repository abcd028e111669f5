//! The sine.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Sine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sin;

elementwise!(Sin, 7, Over::Real, f64::sin);
