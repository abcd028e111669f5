//! Bias correction: what rounding changes in the mean of an output channel is taken back by its bias, which costs
//! nothing on the NPU.

use super::channels::Channels;
use super::method::{LayerEvidence, Rounded};
use crate::encoding::Encoding;
use crate::quantize::layer::Layer;
use autoneural_base::error::{Error, Result};

/// Whether each number of a bias has one row of a layer's weights, so that it can make up for what rounding changes in
/// their mean. That of a transposed convolution has as many as its kernel has elements, and stays as it is.
pub(crate) fn corrects(layer: &Layer, encoding: &Encoding, bias: usize) -> bool {
    Channels::of(layer, encoding).is_some_and(|all| all.count == bias)
}

/// The bias `b + W m - Q n` for weights `W` that became `Q`: `m` are the means of what the layer reads in float, `n`
/// those of what it reads behind the quantized layers, if the method follows these, else `m` again. (Nagel et al.,
/// arXiv 1906.04721, section 4.2, with means that were seen.) A layer whose weights can only be rounded one by one keeps
/// its bias.
///
/// # Errors
/// Evidence is missing, or is about rows of another width.
pub(crate) fn corrected(bias: &[f32], rounded: &Rounded, evidence: &LayerEvidence, follows: bool) -> Result<Vec<f32>> {
    let layer = rounded.layer;
    let Some(channels) = Channels::of(layer, rounded.encoding).filter(|all| all.count == bias.len()) else {
        return Ok(bias.to_vec());
    };
    // For each channel group, in float and behind quantized layers.
    let means: Vec<[Vec<f64>; 2]> = if follows {
        let of = |sums: &[f64], rows: u64| sums.iter().map(|sum| sum / rows.max(1) as f64).collect();
        evidence.paired()?.groups.iter().map(|one| [of(&one.float, one.rows), of(&one.quantized, one.rows)]).collect()
    } else {
        let means = evidence.means()?;
        let of = |group| (0..means.width()).map(|at| means.of(group, at)).collect::<Vec<f64>>();
        (0..means.groups()).map(|group| [of(group), of(group)]).collect()
    };
    let real = rounded.encoding.dequantize(rounded.codes, &layer.shape);
    let (weights, real) = (channels.rows(rounded.weights), channels.rows(&real));
    let mut made = Vec::with_capacity(bias.len());
    for (channel, (weights, real)) in weights.chunks(channels.width).zip(real.chunks(channels.width)).enumerate() {
        let [float, quantized] = means
            .get(channel / channels.of_group)
            .filter(|[float, _]| float.len() == channels.width)
            .ok_or_else(|| Error::internal(&layer.name, "has weights of other rows than its evidence"))?;
        let product = |weights: &[f32], means: &[f64]| -> f64 {
            weights.iter().zip(means).map(|(weight, mean)| f64::from(*weight) * mean).sum()
        };
        let change = product(weights, float) - product(real, quantized);
        made.push(if change.is_finite() { bias[channel] + change as f32 } else { bias[channel] });
    }
    Ok(made)
}
