//! The sign.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// 1 above zero, -1 below, 0 at zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sign;

elementwise!(Sign, 9, Over::Real, |x| if x == 0.0 { x } else { x.signum() });
