//! The smaller of two.

use serde::{Deserialize, Serialize};

use super::pairwise::{Second, pairwise};

/// The smaller of each two elements, with broadcasting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Min;

pairwise!(Min, 8, Second::Real, f32::min);
