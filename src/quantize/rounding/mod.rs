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
//! - **What is no weight of a layer** (gammas, constants that are added or multiplied) is rounded to the nearest integer
//!   whatever the recipe says. A bias follows its layer's weights: [`Rounding::round_bias`].

use serde::{Deserialize, Deserializer};

use super::Layer;
use crate::encoding::Encoding;
use crate::error::Result;

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

    /// The codes of a layer's weights, which have the layer's shape in row-major order. The same arguments give the same
    /// codes.
    ///
    /// # Errors
    /// Weights that it cannot round.
    fn round(&self, layer: &Layer, weights: &[f32], encoding: &Encoding) -> Result<Vec<i32>>;

    /// The codes of a bias of the layer, whose weights were `rounded` before: a method that knows what rounding did to the
    /// mean of an output channel corrects it here. The nearest integers, if it has nothing to say.
    ///
    /// # Errors
    /// As for [`Rounding::round`].
    fn round_bias(&self, bias: &Bias, rounded: &Rounded) -> Result<Vec<i32>> {
        let _ = rounded;
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
