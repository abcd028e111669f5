//! Quotients.

use serde::{Deserialize, Serialize};

use super::pairwise::{Second, pairwise};

/// Elementwise quotient with broadcasting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Div;

pairwise!(Div, 7, Second::Positive, |a, b| a / b);
