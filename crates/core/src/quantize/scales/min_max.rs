//! Scales that hold every weight.

use super::method::{Scaling, Weighed};
use crate::quantize::rounding::LayerEvidence;
use autoneural_base::error::Result;

/// Scales that just hold the largest weight.
pub(crate) struct MinMax;

impl Scaling for MinMax {
    fn name(&self) -> &'static str {
        "min-max"
    }

    fn source(&self) -> &'static str {
        "Krishnamoorthi, arXiv 1806.08342, section 3.1.1"
    }

    fn shares(&self, weighed: &Weighed, _: &LayerEvidence) -> Result<Vec<f32>> {
        Ok(vec![1.0; weighed.encoding.scale.len()])
    }
}
