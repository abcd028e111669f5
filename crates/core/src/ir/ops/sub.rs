//! Differences.

use serde::{Deserialize, Serialize};

use super::pairwise::{Second, pairwise};

/// Elementwise difference with broadcasting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sub;

pairwise!(Sub, 7, Second::Real, |a, b| a - b);
