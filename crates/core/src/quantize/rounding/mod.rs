//! Rounding: which integers the weights of a layer become, under scales that are settled. Each method is one file here
//! and one line in the list below; recipes choose one for each group of graphs (`rounding = "nearest"`).
//!
//! How it fits together:
//! - **Scales first, codes after.** `quantize` first settles every encoding to what the chip takes. Then layers are
//!   rounded one after the other, in the order in which the graphs run them. A method never changes an encoding.
//! - **Methods that search scales** (mean square error, the grid of LPBQ, sequential MSE) are choices of encodings and
//!   belong before the scales are settled, in `quantize`. A method that judges scales by their codes calls
//!   [`Rounding::round`] with each candidate. That is a pure function: so the codes that are made later under the
//!   scales that won are those that were judged.
//! - **Evidence** is about the float model, and is collected during calibration. A method requests it with
//!   [`Rounding::wants`], and finds it in [`LayerEvidence`]. A method that [follows](Rounding::follows) is also given
//!   what the layers that are already rounded make of the samples: these run again, layer by layer, beside the float
//!   model.
//! - **Constants that are not weights of a layer** (gammas, constants that are added or multiplied) are rounded to the
//!   nearest integer, whatever the recipe says. A bias is, too, unless the recipe corrects it
//!   ([`BiasCorrection`]).

mod bias;
mod by_form;
mod channels;
mod cholesky;
mod lattice;
mod method;

pub use bias::BiasCorrection;
pub(crate) use bias::{corrected, corrects, input_means};
pub(crate) use channels::Channels;
pub use method::{LayerEvidence, Rounded, Rounding};

use super::layer::Layer;
use crate::evidence::Want;
use crate::registry::registry;

registry! {
    /// A rounding method that a recipe chose.
    Method of dyn Rounding, "is no rounding method":
    nearest::Nearest,
    gptq::Gptq,
    qronos::Qronos,
}

impl Default for Method {
    fn default() -> Self {
        Method(&nearest::Nearest)
    }
}

/// How the weights and biases of a group are rounded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rounder {
    /// The method for weights.
    pub method: Method,
    /// Most columns of a layer that it rounds; what has more becomes the nearest integers. No limit if not given.
    pub most_columns: Option<usize>,
    /// Whether biases make up for what rounding changes in the means of a layer's outputs.
    pub bias: BiasCorrection,
}

impl Rounder {
    /// The evidence that it requests about the values that a layer multiplies with its weights.
    pub fn wants(&self, layer: &Layer) -> Vec<Want> {
        let method = self.of(layer);
        let mut made = method.wants(layer);
        let is_of_float = self.bias == BiasCorrection::InFloat && !method.follows();
        if is_of_float && !layer.readers.is_empty() && !made.contains(&Want::Means) {
            made.push(Want::Means);
        }
        made
    }

    /// The method that rounds a layer.
    pub fn of(&self, layer: &Layer) -> Method {
        match self.most_columns {
            Some(most) if layer.columns() > most => Method::default(),
            _ => self.method,
        }
    }

    /// Whether it wants to know what the layers that are already rounded make of the samples.
    pub fn follows(&self) -> bool {
        self.method.follows() || self.bias == BiasCorrection::BehindPrefix
    }

    /// How a layer is rounded alone, on what it reads in the float model.
    ///
    /// # Errors
    /// A method that names none, which is a defect.
    pub fn alone(&self) -> autoneural_base::error::Result<Self> {
        let method = Method::of_name(self.method.alone());
        let method = method.map_err(|error| autoneural_base::error::Error::internal("rounding", error))?;
        let bias = match self.bias {
            BiasCorrection::BehindPrefix => BiasCorrection::InFloat,
            other => other,
        };
        Ok(Rounder { method, bias, ..*self })
    }

    /// Its name, of which codes that are kept depend.
    pub fn name(&self) -> String {
        let most = self.most_columns.map_or(String::new(), |most| format!(" up to {most} columns"));
        let bias = match self.bias {
            BiasCorrection::None => "",
            BiasCorrection::InFloat => " with bias correction",
            BiasCorrection::BehindPrefix => " with bias correction behind the quantized prefix",
        };
        format!("{}{most}{bias}", self.method.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Linear;
    use crate::ir::ops::{Axes, Rows};
    use crate::program::Group;

    #[test]
    fn every_method_has_a_name_of_its_own_and_a_source() {
        for method in METHODS {
            assert_eq!(Method::of_name(method.name()).unwrap().name(), method.name());
            assert_eq!(METHODS.iter().filter(|other| other.name() == method.name()).count(), 1);
            assert!(!method.source().is_empty(), "{}", method.name());
            assert!(!Method::of_name(method.alone()).unwrap().follows(), "{}", method.name());
        }
        assert_eq!(Method::default().name(), "nearest");
    }

    #[test]
    fn layers_of_many_columns_are_rounded_to_nearest() {
        let gptq = Method::of_name("gptq").unwrap();
        let rounder = Rounder { method: gptq, most_columns: Some(36), bias: BiasCorrection::InFloat };
        let layer = |shape: [usize; 4]| Layer {
            group: Group::fixed("some"),
            name: "w".into(),
            shape: shape.to_vec(),
            axes: Axes { output: Some(0), input: 1 },
            groups: 1,
            readers: vec![Linear {
                graph: "g".into(),
                node: "n".into(),
                data: "x".into(),
                weight: "w".into(),
                rows: Rows::LastAxis,
            }],
        };
        // 4 x 3 x 3 weights of each output channel, and 5 x 3 x 3.
        let (narrow, wide) = (layer([8, 4, 3, 3]), layer([8, 5, 3, 3]));
        assert_eq!((rounder.of(&narrow).name(), rounder.of(&wide).name()), ("gptq", "nearest"));
        assert_eq!(rounder.wants(&narrow), [Want::SecondMoments, Want::Means]);
        assert_eq!(rounder.wants(&wide), [Want::Means]);
        assert_eq!(rounder.name(), "gptq up to 36 columns with bias correction");
        assert_eq!(Rounder { most_columns: None, ..rounder }.of(&wide).name(), "gptq");
        // Behind the quantized prefix means are not of the float model; alone, they are again.
        let behind = Rounder { bias: BiasCorrection::BehindPrefix, ..rounder };
        assert_eq!((behind.wants(&narrow), behind.wants(&wide)), (vec![Want::SecondMoments], vec![]));
        assert!(behind.follows() && !rounder.follows() && !behind.alone().unwrap().follows());
        assert_eq!(behind.alone().unwrap().wants(&wide), [Want::Means]);
    }

    #[test]
    fn an_unknown_name_lists_those_that_there_are() {
        let message = Method::of_name("farthest").unwrap_err();
        assert_eq!(message, "`farthest` is no rounding method; there are nearest, gptq, qronos");
    }
}
