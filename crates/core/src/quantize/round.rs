//! Rounds constants to packed codes.

use super::codes::{CodeSource, pack, refuse_impossible};
use super::layer::Layer;
use super::layers::Item;
use super::rounding::{LayerEvidence, Rounded, Rounder, corrected, corrects, input_means};
use crate::encoding::Encoding;
use crate::evidence::EvidenceSource;
use crate::ir::Value;
use autoneural_base::error::{Error, Result};

/// Rounds each constant to the nearest integers when its codes are read. This is for models that belong to no bundle,
/// and for bundles of earlier versions, which stored no codes and rounded like this.
pub struct RoundedNow;

impl CodeSource for RoundedNow {
    fn read(&self, value: &Value, encoding: &Encoding, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        take(&pack(encoding.integer, &encoding.quantize(&numbers(value)?, &value.shape)))
    }
}

/// Packed codes of a constant that is not the weight of a layer: the nearest integers.
///
/// # Errors
/// The value is no constant.
pub fn round_other(item: &Item) -> Result<Vec<u8>> {
    let Item { value, encoding } = item;
    Ok(pack(encoding.integer, &encoding.quantize(&numbers(value)?, &value.shape)))
}

/// Packed codes of a layer's weights, and of its biases, in order.
///
/// # Errors
/// The method fails, or makes codes that are impossible under the encoding.
pub fn round_layer(
    rounder: Rounder,
    (layer, weights, biases): &(Layer, Item, Vec<Item>),
    evidence: &dyn EvidenceSource,
) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    // A weight that several nodes read with biases of their own has no means that are those of one bias.
    let one = |bias: &Item| corrects(layer, weights.encoding, bias.value.shape.iter().product());
    let corrects_bias =
        rounder.bias.is_on() && biases.len() == 1 && !layer.readers.is_empty() && biases.iter().all(one);
    let evidence = LayerEvidence::new(layer, evidence, corrects_bias);
    let (method, encoding) = (rounder.of(layer), weights.encoding);
    let values = numbers(weights.value)?;
    let codes = method.round(layer, &values, encoding, &evidence)?;
    refuse_impossible(&codes, encoding, weights.value)?;
    let rounded = Rounded { layer, weights: &values, encoding, codes: &codes };
    let mut of_biases = Vec::new();
    for Item { value, encoding } in biases {
        let mut bias = numbers(value)?;
        if corrects_bias {
            bias = corrected(&bias, &rounded, &input_means(&evidence, rounder.bias, &*method)?)?;
        }
        of_biases.push(pack(encoding.integer, &encoding.quantize(&bias, &value.shape)));
    }
    // Packing takes memory, too, so the weights, which are the largest of all, are freed before.
    drop(values);
    Ok((pack(encoding.integer, &codes), of_biases))
}

fn numbers(value: &Value) -> Result<Vec<f32>> {
    match value.constant() {
        Some(constant) => Ok(constant.to_f32()),
        None => Err(Error::internal(&value.name, "is no constant and has no codes")),
    }
}
