//! How a recipe says that one group of graphs is quantized (`[recipe.GROUP]`).

use serde::Deserialize;

use super::bits::{BlockScales, GeluForm, Products, WeightBits};
use super::observers::Observers;
use crate::encoding::IntegerType;
use crate::equalize::Equalize;
use crate::quantize::rounding::{BiasCorrection, Method, Rounder};
use crate::quantize::scales::Scales;

/// Most room beyond what was seen: four times the range.
const MOST_HEADROOM: f32 = 3.0;

/// How one group is quantized.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRecipe {
    /// Integers of weights, with symmetric scales: one per output channel, or several where they are in blocks.
    pub weights: WeightBits,
    /// Integers of all values that are computed.
    pub activations: IntegerType,
    /// How ranges are observed.
    pub observer: Observers,
    /// Integers of state that grows with the tokens, which are keys and values of attention; those of activations if
    /// not given.
    pub kv_cache: Option<IntegerType>,
    /// Integers of the weights that make a main output, such as a language model's head; those of weights if not given.
    pub head: Option<WeightBits>,
    /// Integers of the weights of depthwise convolutions; int8 if not given, because they have few weights and lose
    /// most with 4 bits.
    pub depthwise: Option<IntegerType>,
    /// Room of the ranges of 16-bit activations beyond what was seen, as a share of what was seen: other samples reach
    /// further. Ranges of 8 bits have none, where it would cost more than it saves.
    #[serde(default)]
    pub headroom: f32,
    /// How the scales of weights are chosen.
    #[serde(default)]
    pub weight_scales: Scales,
    /// Whose scale blocks have.
    #[serde(default)]
    pub block_scales: BlockScales,
    /// How weights are rounded.
    #[serde(default)]
    pub rounding: Method,
    /// Most columns of a layer that is rounded so; what has more is rounded to nearest. No limit if not given.
    pub rounding_columns: Option<usize>,
    /// Whether biases make up for what rounding changes in the means of a layer's outputs.
    #[serde(default)]
    pub bias_correction: BiasCorrection,
    /// How products of two computed values are written for a chip that reads the second of them in 8 bits.
    #[serde(default)]
    pub products: Products,
    /// How GELUs are written.
    #[serde(default)]
    pub gelu: GeluForm,
    /// How the spread of channels is moved from values into weights before anything is quantized; not at all if not
    /// given.
    pub equalize: Option<Equalize>,
}

impl PartRecipe {
    /// What no group can be: the keys, and why.
    pub(super) fn check(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let weights = [
            Some(("weights", self.weights.integer)),
            self.head.map(|bits| ("head", bits.integer)),
            self.depthwise.map(|integer| ("depthwise", integer)),
        ];
        for (key, integer) in weights.into_iter().flatten() {
            if !integer.is_signed() || integer == IntegerType::Int32 {
                let message = format!("{} is no type of weights; int4, int8 and int16 are", integer.name());
                found.push((key.into(), message));
            }
        }
        if let Some(equalize) = &self.equalize
            && let Err(message) = equalize.check()
        {
            found.push(("equalize.alpha".into(), message));
        }
        if !(0.0..=MOST_HEADROOM).contains(&self.headroom) {
            found.push(("headroom".into(), format!("{} is impossible; 0 to {MOST_HEADROOM} are", self.headroom)));
        }
        let has_blocks = self.weights.block.or(self.head.and_then(|bits| bits.block)).is_some();
        if self.block_scales == BlockScales::Shared && !has_blocks {
            let message = "no weights of this group are in blocks; write `int4 in blocks of 64`, or leave it out";
            found.push(("block_scales".into(), message.into()));
        }
        match self.rounding_columns {
            Some(0) => found.push(("rounding_columns".into(), "no layer has 0 columns; 1 or more are possible".into())),
            Some(_) if self.rounding == Method::default() => {
                let message =
                    "limits no method: weights are rounded to nearest; name one by `rounding`, or leave it out";
                found.push(("rounding_columns".into(), message.into()));
            }
            _ => {}
        }
        let values = [Some(("activations", self.activations)), self.kv_cache.map(|integer| ("kv_cache", integer))];
        for (key, integer) in values.into_iter().flatten() {
            if integer.is_signed() {
                let message = format!("{} is no type of activations; uint8 and uint16 are", integer.name());
                found.push((key.into(), message));
            }
        }
        found
    }

    /// How weights and biases are rounded.
    pub fn rounder(&self) -> Rounder {
        Rounder { method: self.rounding, most_columns: self.rounding_columns, bias: self.bias_correction }
    }

    /// Whether products of two computed values are to be split where the target says that this pays.
    pub fn splits_products(&self) -> bool {
        self.products == Products::Split
    }

    /// Bits of weights and activations in the usual short form, such as `W4A16`.
    pub fn scheme(&self) -> String {
        format!("W{}A{}", self.weights.integer.bits(), self.activations.bits())
    }
}
