//! The larger of two.

use serde::{Deserialize, Serialize};

use super::pairwise::{Second, pairwise};

/// The larger of each two elements, with broadcasting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Max;

pairwise!(Max, 8, Second::Real, f32::max);
