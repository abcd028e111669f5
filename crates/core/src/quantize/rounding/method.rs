//! What a rounding method is, and what it is given.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use crate::encoding::Encoding;
use crate::evidence::{Ask, EvidenceSource, Linear, Means, Observer, PairedMoments, SecondMoments, Want};
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

    /// Whether it looks at what the layers that are already rounded make of the samples ([`LayerEvidence::paired`]),
    /// and not only at the float model.
    fn follows(&self) -> bool {
        false
    }

    /// The name of the method that rounds a layer alone, on the float model, as this one does behind others.
    fn alone(&self) -> &'static str {
        self.name()
    }
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
    /// Whether the layer has a bias that will make up for what rounding changes in the means of its outputs. Then only
    /// changes about the mean count.
    pub is_centred: bool,
    paired: OnceCell<PairedMoments>,
}

impl<'a> LayerEvidence<'a> {
    /// The evidence of a layer.
    pub fn new(layer: &'a Layer, source: &'a dyn EvidenceSource, is_centred: bool) -> Self {
        LayerEvidence { layer, source, is_centred, paired: OnceCell::new() }
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
        let merge = |all: &mut Observer, found: &Observer| all.merge(found);
        let all = self.merged(want, &|ask| self.source.get(ask).map(Some), &merge)?;
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

    /// Means of the rows that the weights are multiplied with, in float and behind the layers that are already rounded.
    ///
    /// # Errors
    /// As for [`LayerEvidence::paired`].
    pub fn paired_means(&self) -> Result<[Means; 2]> {
        let find = |ask: &Ask| self.source.paired_means(&ask.site, &ask.rows);
        let merge = |[float, quantized]: &mut [Means; 2], [x, z]: &[Means; 2]| float.merge(x) && quantized.merge(z);
        self.merged(Want::SecondMoments, &find, &merge)?.ok_or_else(|| self.not_run())
    }

    /// Moments of the rows that the weights are multiplied with, in float and behind the layers that are already
    /// rounded.
    ///
    /// # Errors
    /// The source has none, the layers cannot be run, or the values have rows of different sizes.
    pub fn paired(&self) -> Result<&PairedMoments> {
        if let Some(known) = self.paired.get() {
            return Ok(known);
        }
        let find = |ask: &Ask| self.source.paired(&ask.site, &ask.rows);
        let merge = |all: &mut PairedMoments, found: &PairedMoments| all.merge(found);
        let all = self.merged(Want::SecondMoments, &find, &merge)?.ok_or_else(|| self.not_run())?;
        Ok(self.paired.get_or_init(|| all))
    }

    /// What is known of all values that the layer reads, merged by `merge`, which says whether they are of the same rows.
    /// `None` if nothing is known of any.
    fn merged<T>(
        &self,
        want: Want,
        find: &dyn Fn(&Ask) -> Result<Option<T>>,
        merge: &dyn Fn(&mut T, &T) -> bool,
    ) -> Result<Option<T>> {
        let mut all: Option<T> = None;
        for ask in self.asks(want) {
            let Some(found) = find(&ask)? else { continue };
            let Some(all) = &mut all else {
                all = Some(found);
                continue;
            };
            if !merge(all, &found) {
                let message = format!("{want} of `{}` are of other rows than those of what else it reads", ask.site);
                return Err(Error::input(&self.layer.name, message).help("calibrate again"));
            }
        }
        Ok(all)
    }

    fn not_run(&self) -> Error {
        Error::internal(&self.layer.name, "is in no graph whose runs were kept")
    }

    fn of_another_kind(&self) -> Error {
        Error::internal(&self.layer.name, "was given evidence of another kind than it asked for")
    }
}
