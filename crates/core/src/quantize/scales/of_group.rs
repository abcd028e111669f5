//! What the method of a recipe says of the weights of a group of graphs.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::method::{Scaling, Weighed};
use crate::encoding::Encoding;
use crate::evidence::EvidenceSource;
use crate::quantize::layer::Layer;
use crate::quantize::rounding::LayerEvidence;
use autoneural_base::error::Result;

/// The scales of the weights of a group. Graphs that share a weight share what is found for it.
pub struct OfGroup<'a> {
    method: &'a dyn Scaling,
    layers: BTreeMap<String, Layer>,
    source: &'a dyn EvidenceSource,
    known: RefCell<BTreeMap<String, (Encoding, Vec<f32>)>>,
}

impl<'a> OfGroup<'a> {
    /// Those of these layers, with the evidence that the method asked for.
    pub fn new(method: &'a dyn Scaling, layers: Vec<Layer>, source: &'a dyn EvidenceSource) -> Self {
        let layers = layers.into_iter().map(|layer| (layer.name.clone(), layer)).collect();
        OfGroup { method, layers, source, known: RefCell::default() }
    }

    /// What the scales of a symmetric encoding that just holds the largest weight are multiplied with.
    ///
    /// # Errors
    /// Evidence is missing.
    pub(crate) fn shares(&self, name: &str, weights: &[f32], encoding: &Encoding) -> Result<Vec<f32>> {
        let Some(layer) = self.layers.get(name) else { return Ok(vec![1.0; encoding.scale.len()]) };
        if let Some((of, shares)) = self.known.borrow().get(name)
            && of == encoding
        {
            return Ok(shares.clone());
        }
        let shares = self.method.shares(&Weighed { layer, weights, encoding }, &self.evidence(layer))?;
        self.known.borrow_mut().insert(name.to_string(), (encoding.clone(), shares.clone()));
        Ok(shares)
    }

    /// How much the error of a weight counts in blocks, by input channel; none where all count the same.
    ///
    /// # Errors
    /// Evidence is missing.
    pub(crate) fn importance(&self, name: &str) -> Result<Vec<f32>> {
        self.layers.get(name).map_or(Ok(vec![]), |layer| self.method.importance(layer, &self.evidence(layer)))
    }

    fn evidence<'s>(&self, layer: &'s Layer) -> LayerEvidence<'s>
    where
        'a: 's,
    {
        LayerEvidence::new(layer, self.source, false)
    }
}
