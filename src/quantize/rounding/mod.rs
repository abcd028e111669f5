//! Rounding: which integers the weights of a layer become, under scales that are settled. Each method is one file here and
//! one line in the list below; recipes choose one for each group of graphs (`rounding = "nearest"`).
//!
//! What stands where:
//! - **Scales first, codes after.** `quantize` settles every encoding to the law of the chip, then layers are rounded, one
//!   after the other in the order in which the graphs run them. A method never changes an encoding.
//! - **Methods that search scales** (mean square error, the grid of LPBQ, sequential MSE) are choices of encodings and
//!   belong before the scales are settled, in `quantize`. One that judges scales by the codes that come of them asks
//!   [`Rounding::round`] with each candidate: it is a pure function of what it is given, so the codes that are made later
//!   under the scales that won are those that were judged.
//! - **Evidence** is of the float model, collected while it is calibrated: a method says what it [`Rounding::wants`], and
//!   finds it in [`LayerEvidence`]. A method that looks at what the quantized layers before this one really give (GPTAQ,
//!   Qronos) needs a run of them for each layer, which is possible because layers are rounded in order and codes of those
//!   before are files already: that is another [`EvidenceSource`], asked with a [`Want`] of its own, and the key of the
//!   layer's unit of work then has the codes before it. Nothing of a method's form changes.
//! - **What is no weight of a layer** (gammas, constants that are added or multiplied) is rounded to the nearest integer
//!   whatever the recipe says. A bias follows its layer's weights: [`Rounding::round_bias`].

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};

use super::Layer;
use crate::encoding::Encoding;
use crate::error::{Error, Result};
use crate::evidence::{Ask, EvidenceSource, Linear, Means, Observer, SecondMoments, Want};

/// Declares the file of every method, and lists the methods.
macro_rules! methods {
    ($($file:ident :: $method:ident),* $(,)?) => {
        $(mod $file;)*
        /// Every method that recipes may name.
        pub static METHODS: &[&dyn Rounding] = &[$(&$file::$method),*];
    };
}

methods! {
    nearest::Nearest,
}

/// A way to round the weights of a layer.
pub trait Rounding: Sync {
    /// Its name, as recipes write it.
    fn name(&self) -> &'static str;

    /// Where it is from: authors or paper.
    fn source(&self) -> &'static str;

    /// What it wants to know of the values that the layer multiplies with its weights; by default nothing.
    fn wants(&self, layer: &Layer) -> Vec<Want> {
        let _ = layer;
        vec![]
    }

    /// The codes of a layer's weights, which have the layer's shape in row-major order. The same arguments give the same
    /// codes.
    ///
    /// # Errors
    /// Weights that it cannot round.
    fn round(&self, layer: &Layer, weights: &[f32], encoding: &Encoding, evidence: &LayerEvidence) -> Result<Vec<i32>>;

    /// The codes of a bias of the layer, whose weights were `rounded` before: a method that knows what rounding did to the
    /// mean of an output channel corrects it here. The nearest integers, if it has nothing to say.
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
    /// Its encoding, of scale `input scale x weight scale`.
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

/// What was collected of the values that a layer multiplies with its weights.
pub struct LayerEvidence<'a> {
    layer: &'a Layer,
    source: &'a dyn EvidenceSource,
}

impl<'a> LayerEvidence<'a> {
    /// The evidence of a layer.
    pub fn new(layer: &'a Layer, source: &'a dyn EvidenceSource) -> Self {
        LayerEvidence { layer, source }
    }

    /// The wishes about all that the layer reads, each once: graphs that share a value share what is known of it.
    pub fn asks(&self, want: Want) -> BTreeSet<Ask> {
        let of = |reader: &Linear| Ask::new(self.layer.group, &reader.data, want, &reader.rows);
        self.layer.readers.iter().map(of).collect()
    }

    /// What was seen of all that the layer reads, together.
    ///
    /// # Errors
    /// It was not collected, or is not of the layer's shape.
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

/// A rounding method that a recipe chose.
#[derive(Clone, Copy)]
pub struct Method(&'static dyn Rounding);

impl Default for Method {
    fn default() -> Self {
        Method(&nearest::Nearest)
    }
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl std::ops::Deref for Method {
    type Target = dyn Rounding;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl Method {
    /// The method of this name.
    ///
    /// # Errors
    /// There is none; the text lists those that there are.
    pub fn of_name(name: &str) -> Result<Self, String> {
        let found = METHODS.iter().find(|method| method.name() == name);
        found
            .map(|method| Method(*method))
            .ok_or_else(|| format!("`{name}` is no rounding method; there are {}", names()))
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Method::of_name(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Names of all methods, for people.
pub fn names() -> String {
    METHODS.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_name_of_its_own_and_a_source() {
        for method in METHODS {
            assert_eq!(Method::of_name(method.name()).unwrap().name(), method.name());
            assert_eq!(METHODS.iter().filter(|other| other.name() == method.name()).count(), 1);
            assert!(!method.source().is_empty(), "{}", method.name());
        }
        assert_eq!(Method::default().name(), "nearest");
    }

    #[test]
    fn an_unknown_name_lists_those_that_there_are() {
        let message = Method::of_name("farthest").unwrap_err();
        assert_eq!(message, format!("`farthest` is no rounding method; there are {}", names()));
        assert!(names().contains("nearest"));
    }
}
