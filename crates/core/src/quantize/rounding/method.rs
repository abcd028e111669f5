//! What a rounding method is, and what it is given.

use std::collections::BTreeSet;

use crate::encoding::Encoding;
use crate::evidence::{Ask, EvidenceSource, Linear, Means, Observer, SecondMoments, Want};
use crate::quantize::layer::Layer;
use autoneural_base::error::{Error, Result};

/// A way to round the weights of a layer.
pub trait Rounding: Sync {
    /// Its name, as recipes write it.
    fn name(&self) -> &'static str;

    /// Where the method is from: authors or paper.
    fn source(&self) -> &'static str;

    /// The evidence that it requests about the values that the layer multiplies with its weights; by default none.
    fn wants(&self, layer: &Layer) -> Vec<Want> {
        let _ = layer;
        vec![]
    }

    /// The codes of a layer's weights. Both are row-major in the layer's shape. The same arguments give the same codes.
    ///
    /// # Errors
    /// It cannot round these weights, or evidence is missing.
    fn round(&self, layer: &Layer, weights: &[f32], encoding: &Encoding, evidence: &LayerEvidence) -> Result<Vec<i32>>;

    /// The codes of a bias of the layer, whose weights were `rounded` before. A method that knows how rounding changed
    /// the mean of an output channel can correct it here; by default the codes are the nearest integers.
    ///
    /// # Errors
    /// As for [`Rounding::round`].
    fn round_bias(&self, bias: &Bias, rounded: &Rounded, evidence: &LayerEvidence) -> Result<Vec<i32>> {
        let _ = (rounded, evidence);
        Ok(bias.encoding.quantize(bias.values, bias.shape))
    }
}

/// The bias of a layer: one number for each output channel.
pub struct Bias<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape.
    pub shape: &'a [usize],
    /// Its numbers.
    pub values: &'a [f32],
    /// Its encoding, whose scales are `input scale x weight scale`.
    pub encoding: &'a Encoding,
}

/// The weights of a layer and what they became.
pub struct Rounded<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// Its weights in row-major order.
    pub weights: &'a [f32],
    /// Their encoding.
    pub encoding: &'a Encoding,
    /// Their codes, in the same order.
    pub codes: &'a [i32],
}

/// The evidence about the values that a layer multiplies with its weights.
pub struct LayerEvidence<'a> {
    layer: &'a Layer,
    source: &'a dyn EvidenceSource,
}

impl<'a> LayerEvidence<'a> {
    /// The evidence of a layer.
    pub fn new(layer: &'a Layer, source: &'a dyn EvidenceSource) -> Self {
        LayerEvidence { layer, source }
    }

    /// The requests about all values that the layer reads, each once: graphs that share a value share its evidence.
    pub fn asks(&self, want: Want) -> BTreeSet<Ask> {
        let of = |reader: &Linear| Ask::new(&self.layer.group, &reader.data, want, &reader.rows);
        self.layer.readers.iter().map(of).collect()
    }

    /// The evidence about all values that the layer reads, merged.
    ///
    /// # Errors
    /// It was not collected, or the values have rows of different sizes.
    pub fn get(&self, want: Want) -> Result<Observer> {
        let mut all: Option<Observer> = None;
        for ask in self.asks(want) {
            let found = self.source.get(&ask)?;
            let Some(all) = &mut all else {
                all = Some(found);
                continue;
            };
            if !all.merge(&found) {
                let message = format!("{want} of `{}` are of other rows than those of what else it reads", ask.site);
                return Err(Error::input(&self.layer.name, message).help("calibrate again"));
            }
        }
        all.ok_or_else(|| Error::internal(&self.layer.name, "is a layer that reads nothing"))
    }

    /// Second moments of the rows that the weights are multiplied with.
    ///
    /// # Errors
    /// As for [`LayerEvidence::get`].
    pub fn second_moments(&self) -> Result<SecondMoments> {
        match self.get(Want::SecondMoments)? {
            Observer::SecondMoments(found) => Ok(found),
            _ => Err(self.of_another_kind()),
        }
    }

    /// Means of the rows that the weights are multiplied with.
    ///
    /// # Errors
    /// As for [`LayerEvidence::get`].
    pub fn means(&self) -> Result<Means> {
        match self.get(Want::Means)? {
            Observer::Means(found) => Ok(found),
            _ => Err(self.of_another_kind()),
        }
    }

    fn of_another_kind(&self) -> Error {
        Error::internal(&self.layer.name, "was given evidence of another kind than it asked for")
    }
}
