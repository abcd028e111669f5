//! GPTQ: weights are rounded one after the other, and what one loses the next ones make up for, as far as the layer's
//! inputs let them.

use super::by_form::{by_form, centre, unfit};
use super::method::{LayerEvidence, Rounding};
use crate::encoding::Encoding;
use crate::evidence::Want;
use crate::quantize::layer::Layer;
use autoneural_base::error::Result;

/// What is added to the diagonal of moments, as a share of its mean: that of the paper, section 3.
const DAMPING: f64 = 0.01;

/// Frantar et al., arXiv 2210.17323, on the inputs of the float model: of all integers, those for which the sum of
/// squares of the change of the layer's outputs is small. The weights that matter most are rounded first.
pub(crate) struct Gptq;

impl Rounding for Gptq {
    fn name(&self) -> &'static str {
        "gptq"
    }

    fn source(&self) -> &'static str {
        "Frantar et al., arXiv 2210.17323"
    }

    fn wants(&self, layer: &Layer) -> Vec<Want> {
        if unfit(layer) { vec![] } else { vec![Want::SecondMoments] }
    }

    fn round(&self, layer: &Layer, weights: &[f32], encoding: &Encoding, evidence: &LayerEvidence) -> Result<Vec<i32>> {
        if unfit(layer) {
            return Ok(encoding.quantize(weights, &layer.shape));
        }
        let moments = evidence.second_moments()?;
        let is_centred = evidence.is_centred;
        by_form(layer, weights, encoding, (moments.width(), DAMPING), |group, aims| {
            let mut form = moments.products(group);
            if is_centred {
                let means: Vec<f64> = (0..moments.width()).map(|at| moments.mean(group, at)).collect();
                centre(&mut form, &means, &means, moments.rows()[group] as f64);
            }
            (form, aims)
        })
    }
}
