//! GPTQ: weights are rounded one after the other, and what one loses the next ones make up for, as far as the layer's
//! inputs let them.

use ndarray::Array2;

use super::by_form::{by_form, centre, unfit};
use super::method::{LayerEvidence, Rounding};
use crate::encoding::Encoding;
use crate::evidence::{SecondMoments, Want};
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
        if unfit(layer) { vec![] } else { vec![Want::SecondMoments, Want::Means] }
    }

    fn round(&self, layer: &Layer, weights: &[f32], encoding: &Encoding, evidence: &LayerEvidence) -> Result<Vec<i32>> {
        if unfit(layer) {
            return Ok(encoding.quantize(weights, &layer.shape));
        }
        let moments = evidence.second_moments()?;
        let means = evidence.means()?;
        by_form(layer, weights, encoding, (moments.width(), DAMPING), |group, aims| {
            let mut form = square(&moments, group);
            if evidence.is_centred {
                let sums: Vec<f64> = (0..moments.width()).map(|at| means.of(group, at)).collect();
                centre(&mut form, &sums, &sums, moments.rows()[group] as f64);
            }
            (form, aims)
        })
    }
}

/// The moments of a group as a whole matrix.
fn square(moments: &SecondMoments, group: usize) -> Array2<f64> {
    let width = moments.width();
    Array2::from_shape_fn((width, width), |(a, b)| moments.of(group, a, b))
}
