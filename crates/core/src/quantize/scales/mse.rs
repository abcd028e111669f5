//! Scales for which the weights change least.

use super::method::{Scaling, Weighed};
use super::search::best_shares;
use crate::quantize::rounding::LayerEvidence;
use autoneural_base::error::Result;

/// Scales for which the sum of the squared differences between the weights and the nearest integers is least: the largest
/// weights are cut off where all others gain more.
pub(crate) struct Mse;

impl Scaling for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn source(&self) -> &'static str {
        "Nagel et al., arXiv 2106.08295, section 3.1"
    }

    fn shares(&self, weighed: &Weighed, _: &LayerEvidence) -> Result<Vec<f32>> {
        Ok(best_shares(weighed, |_, changes| changes.rows().into_iter().map(|row| f64::from(row.dot(&row))).collect()))
    }
}
