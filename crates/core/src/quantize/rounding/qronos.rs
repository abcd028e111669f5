//! Rounding that takes in the errors of the layers before: each layer is fitted to what it should give in float, on the
//! inputs that it really gets.

use ndarray::Array2;

use super::by_form::{by_form, centre, unfit};
use super::cholesky::{cholesky, solve};
use super::method::{LayerEvidence, Rounding};
use crate::encoding::Encoding;
use crate::quantize::layer::Layer;
use autoneural_base::error::Result;

/// What is added to the diagonal of moments, as a share of its mean, is the number of columns for each row, but at least
/// this: the fewer rows were seen, the more the weights that were trained are trusted.
const LEAST: f64 = 0.01;
/// The largest such share. It and the rule were chosen on EfficientNet-Lite0: of its 16 calibration pictures 12
/// calibrated and 4 judged. Between 0.3 and 10 times these shares the figure changes by 1 dB.
const MOST: f64 = 0.3;

/// The objective of Qronos (Zhang et al., arXiv 2505.11695) and GPTAQ (Li et al., arXiv 2504.02692): with inputs `X` in
/// float and `Z` behind the quantized layers, integers for which `|X w - Z q|^2` is small. The real weights that are
/// best on `Z` are found first, as a ridge regression that begins at `w`; these are then rounded as
/// [`super::gptq`] does it, with the moments of `Z`.
pub(crate) struct Qronos;

impl Rounding for Qronos {
    fn name(&self) -> &'static str {
        "qronos"
    }

    fn source(&self) -> &'static str {
        "Zhang et al., arXiv 2505.11695; Li et al., arXiv 2504.02692"
    }

    fn follows(&self) -> bool {
        true
    }

    fn alone(&self) -> &'static str {
        "gptq"
    }

    fn round(&self, layer: &Layer, weights: &[f32], encoding: &Encoding, evidence: &LayerEvidence) -> Result<Vec<i32>> {
        if unfit(layer) {
            return Ok(encoding.quantize(weights, &layer.shape));
        }
        let moments = evidence.paired()?;
        let rows = moments.groups.iter().map(|group| group.rows).min().unwrap_or(0).max(1);
        let damping = (moments.width() as f64 / rows as f64).clamp(LEAST, MOST);
        let is_centred = evidence.is_centred;
        by_form(layer, weights, encoding, (moments.width(), damping), |group, aims| {
            let seen = &moments.groups[group];
            let (mut own, mut cross) = (seen.own.clone(), seen.cross.clone());
            if is_centred {
                let count = seen.rows.max(1) as f64;
                let mean = |sums: &[f64]| sums.iter().map(|sum| sum / count).collect::<Vec<f64>>();
                let (float, quantized) = (mean(&seen.float), mean(&seen.quantized));
                centre(&mut own, &quantized, &quantized, count);
                centre(&mut cross, &float, &quantized, count);
            }
            let fitted = fit(&own, cross, damping, &aims).unwrap_or(aims);
            (own, fitted)
        })
    }
}

/// The rows `t` for which `|X w - Z t|^2 + ridge |w - t|^2` is least, for rows `w`. `None` where nothing was seen.
fn fit(own: &Array2<f64>, mut cross: Array2<f64>, damping: f64, rows: &[f32]) -> Option<Vec<f32>> {
    let width = own.nrows();
    let ridge = damping * own.diag().sum() / width as f64;
    let mut factor = own.clone();
    factor.diag_mut().iter_mut().for_each(|number| *number += ridge);
    cross.diag_mut().iter_mut().for_each(|number| *number += ridge);
    cholesky(&mut factor)?;
    let rows = Array2::from_shape_fn((rows.len() / width, width), |(row, at)| f64::from(rows[row * width + at]));
    let mut fitted = rows.dot(&cross);
    solve(&factor, &mut fitted);
    let fitted: Vec<f32> = fitted.iter().map(|&number| number as f32).collect();
    fitted.iter().all(|number| number.is_finite()).then_some(fitted)
}
