//! Products of elements.

use serde::{Deserialize, Serialize};

use super::pairwise::{Second, pairwise};

/// Elementwise product with broadcasting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mul;

pairwise!(Mul, 7, Second::Real, |a, b| a * b);
