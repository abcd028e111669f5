//! Rounds each number by itself to the nearest integer, ties to even.

use super::method::{LayerEvidence, Rounding};
use crate::encoding::Encoding;
use crate::quantize::layer::Layer;
use autoneural_base::error::Result;

/// Rounds to the nearest integer, ties to even.
pub(crate) struct Nearest;

impl Rounding for Nearest {
    fn name(&self) -> &'static str {
        "nearest"
    }

    fn source(&self) -> &'static str {
        "Jacob et al., arXiv 1712.05877; ONNX QuantizeLinear"
    }

    fn round(&self, layer: &Layer, weights: &[f32], encoding: &Encoding, _: &LayerEvidence) -> Result<Vec<i32>> {
        Ok(encoding.quantize(weights, &layer.shape))
    }
}
