//! What a method that chooses scales is, and what it is given.

use crate::encoding::Encoding;
use crate::evidence::Want;
use crate::quantize::layer::Layer;
use crate::quantize::rounding::LayerEvidence;
use autoneural_base::error::Result;

/// The weights of a layer under scales that just hold the largest of them.
pub struct Weighed<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// Its weights in row-major order.
    pub weights: &'a [f32],
    /// Symmetric, with one scale or one for each output channel.
    pub encoding: &'a Encoding,
}

/// A way to choose the scales of weights.
pub trait Scaling: Sync {
    /// Its name, as recipes write it.
    fn name(&self) -> &'static str;

    /// Where it is from: authors, paper or documentation.
    fn source(&self) -> &'static str;

    /// The evidence that it requests about the values that the layer multiplies with its weights; by default none.
    fn wants(&self, layer: &Layer) -> Vec<Want> {
        let _ = layer;
        vec![]
    }

    /// What each scale is multiplied with, 0 to 1. The same arguments give the same numbers.
    ///
    /// # Errors
    /// Evidence is missing, or is about rows of another width.
    fn shares(&self, weighed: &Weighed, evidence: &LayerEvidence) -> Result<Vec<f32>>;

    /// How much the error of a weight counts in blocks, by the input channel that it is multiplied with; none where all
    /// count the same, as by default.
    ///
    /// # Errors
    /// Evidence is missing.
    fn importance(&self, layer: &Layer, evidence: &LayerEvidence) -> Result<Vec<f32>> {
        let _ = (layer, evidence);
        Ok(vec![])
    }
}
