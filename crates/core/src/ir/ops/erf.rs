//! The error function.

use serde::{Deserialize, Serialize};

use super::arithmetic::erf;
use super::elementwise::{Over, elementwise};

/// Error function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Erf;

elementwise!(Erf, 9, Over::ToTheEnds, erf);
