//! Bias correction: what rounding changes in the mean of an output channel is taken back by its bias, which costs
//! nothing on the NPU.

use serde::{Deserialize, Deserializer};

use super::channels::Channels;
use super::method::{LayerEvidence, Rounded, Rounding};
use crate::encoding::Encoding;
use crate::evidence::Means;
use crate::quantize::layer::Layer;
use autoneural_base::error::{Error, Result};

/// What the recipe's word for [`BiasCorrection::BehindPrefix`] is.
const BEHIND_PREFIX: &str = "quantized-prefix";

/// Whether biases make up for what rounding changes in the means of a layer's outputs, and on which inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BiasCorrection {
    /// They stay as they are.
    #[default]
    None,
    /// On what the layer reads in the float model; a method that [follows](Rounding::follows) the quantized layers
    /// corrects on what these make.
    InFloat,
    /// On what the layer really reads behind the quantized layers, whatever the method is.
    BehindPrefix,
}

impl BiasCorrection {
    /// Whether biases are corrected at all.
    pub fn is_on(self) -> bool {
        self != BiasCorrection::None
    }
}

impl<'de> Deserialize<'de> for BiasCorrection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Switch(bool),
            Word(String),
        }
        let wrong = || serde::de::Error::custom(format!("`true`, `false` or \"{BEHIND_PREFIX}\" is expected"));
        match Written::deserialize(deserializer).map_err(|_| wrong())? {
            Written::Switch(false) => Ok(BiasCorrection::None),
            Written::Switch(true) => Ok(BiasCorrection::InFloat),
            Written::Word(word) if word == BEHIND_PREFIX => Ok(BiasCorrection::BehindPrefix),
            Written::Word(_) => Err(wrong()),
        }
    }
}

/// Whether each number of a bias has one row of a layer's weights, so that it can make up for what rounding changes in
/// their mean. That of a transposed convolution has as many as its kernel has elements, and stays as it is.
pub(crate) fn corrects(layer: &Layer, encoding: &Encoding, bias: usize) -> bool {
    Channels::of(layer, encoding).is_some_and(|all| all.count == bias)
}

/// Means of the columns that a layer multiplies with its weights, for each channel group: in the float model, and behind
/// the quantized layers.
pub(crate) type InputMeans = Vec<[Vec<f64>; 2]>;

/// The means by which a bias is corrected. Where nothing is to be known of quantized layers, both are of the float model.
///
/// # Errors
/// Evidence is missing.
pub(crate) fn input_means(
    evidence: &LayerEvidence,
    correction: BiasCorrection,
    method: &dyn Rounding,
) -> Result<InputMeans> {
    let of = |means: &Means, group| (0..means.width()).map(|at| means.of(group, at)).collect::<Vec<f64>>();
    let [float, quantized] = if method.follows() || correction == BiasCorrection::BehindPrefix {
        evidence.paired_means()?
    } else {
        let means = evidence.means()?;
        [means.clone(), means]
    };
    Ok((0..float.groups()).map(|group| [of(&float, group), of(&quantized, group)]).collect())
}

/// The bias `b + W m - Q n` for weights `W` that became `Q`: `m` are the means of what the layer reads in float, `n`
/// those of what it reads behind the quantized layers, or `m` again. (Nagel et al., arXiv 1906.04721, section 4.2, with
/// means that were seen.) A layer whose weights can only be rounded one by one keeps its bias.
///
/// # Errors
/// The means are of rows of another width.
pub(crate) fn corrected(bias: &[f32], rounded: &Rounded, means: &InputMeans) -> Result<Vec<f32>> {
    let layer = rounded.layer;
    let Some(channels) = Channels::of(layer, rounded.encoding).filter(|all| all.count == bias.len()) else {
        return Ok(bias.to_vec());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::IntegerType;
    use crate::evidence::Linear;
    use crate::ir::ops::{Axes, Rows};
    use crate::program::Group;

    #[test]
    fn a_bias_makes_up_for_the_means_of_both_streams() {
        let reader =
            Linear { graph: "g".into(), node: "n".into(), data: "x".into(), weight: "w".into(), rows: Rows::LastAxis };
        let layer = Layer {
            group: Group::fixed("some"),
            name: "w".into(),
            shape: vec![2, 2],
            axes: Axes { output: Some(0), input: 1 },
            groups: 1,
            readers: vec![reader],
        };
        let (scale, zero_point) = (vec![0.5, 0.5], vec![0, 0]);
        let encoding = Encoding { integer: IntegerType::Int8, scale, zero_point, axis: Some(0), block: None };
        // W = [[1.1, 2], [-3, 0.2]], Q = [[1, 2], [-3, 0]].
        let rounded =
            Rounded { layer: &layer, weights: &[1.1, 2.0, -3.0, 0.2], encoding: &encoding, codes: &[2, 4, -6, 0] };
        let close = |made: Vec<f32>, wanted: [f32; 2]| {
            made.iter().zip(wanted).all(|(made, wanted)| (made - wanted).abs() < 1e-5)
        };
        // The same means m = [10, 20] on both sides: b + (W - Q) m.
        let same = vec![[vec![10.0, 20.0], vec![10.0, 20.0]]];
        assert!(close(corrected(&[7.0, 8.0], &rounded, &same).unwrap(), [8.0, 12.0]));
        // n = [11, 20] behind quantized layers: Q n is 1 and -3 more.
        let behind = vec![[vec![10.0, 20.0], vec![11.0, 20.0]]];
        assert!(close(corrected(&[7.0, 8.0], &rounded, &behind).unwrap(), [7.0, 15.0]));
    }

    #[test]
    fn recipes_write_a_switch_or_a_word() {
        #[derive(Debug, Deserialize)]
        struct Part {
            bias_correction: BiasCorrection,
        }
        let of = |written: &str| toml::from_str::<Part>(&format!("bias_correction = {written}"));
        for (written, wanted) in [
            ("true", BiasCorrection::InFloat),
            ("false", BiasCorrection::None),
            ("\"quantized-prefix\"", BiasCorrection::BehindPrefix),
        ] {
            assert_eq!(of(written).unwrap().bias_correction, wanted);
        }
        for wrong in ["\"prefix\"", "1"] {
            assert!(of(wrong).unwrap_err().to_string().contains("\"quantized-prefix\" is expected"), "{wrong}");
        }
    }
}
