//! The natural logarithm.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// Natural logarithm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log;

elementwise!(Log, 6, Over::Positive, f64::ln);
