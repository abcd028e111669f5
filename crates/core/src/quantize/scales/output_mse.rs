//! Scales for which the outputs of the layer change least.

use ndarray::Array2;

use super::method::{Scaling, Weighed};
use super::search::best_shares;
use crate::evidence::Want;
use crate::quantize::layer::Layer;
use crate::quantize::rounding::LayerEvidence;
use autoneural_base::error::{Error, Result};

/// Scales for which the sum of the squared changes of the layer's outputs is least, over what the float model showed the
/// layer. It is what "sequential MSE" minimizes, but for the layers before, which are float here. In blocks a weight's
/// change counts by the mean square of what it is multiplied with.
pub(crate) struct OutputMse;

impl Scaling for OutputMse {
    fn name(&self) -> &'static str {
        "output-mse"
    }

    fn source(&self) -> &'static str {
        "AIMET documentation, \"Sequential MSE\", with the inputs of the float model"
    }

    fn wants(&self, layer: &Layer) -> Vec<Want> {
        if layer.readers.is_empty() { vec![] } else { vec![Want::SecondMoments] }
    }

    fn shares(&self, weighed: &Weighed, evidence: &LayerEvidence) -> Result<Vec<f32>> {
        if weighed.layer.readers.is_empty() {
            return Ok(vec![1.0; weighed.encoding.scale.len()]);
        }
        let moments = evidence.second_moments()?;
        let width = weighed.layer.columns();
        if moments.width() != width {
            let message = format!("has rows of {width} weights, which are multiplied with {} numbers", moments.width());
            return Err(Error::internal(&weighed.layer.name, message));
        }
        let mut form: Option<(usize, Array2<f32>)> = None;
        Ok(best_shares(weighed, |group, changes| {
            if form.as_ref().is_none_or(|(known, _)| *known != group) {
                form = Some((group, moments.mean_products(group)));
            }
            let Some((_, form)) = &form else { return vec![] };
            let products = changes.dot(form);
            products.rows().into_iter().zip(changes.rows()).map(|(a, b)| f64::from(a.dot(&b))).collect()
        }))
    }

    fn importance(&self, layer: &Layer, evidence: &LayerEvidence) -> Result<Vec<f32>> {
        if layer.readers.is_empty() || layer.groups != 1 {
            return Ok(vec![]);
        }
        let moments = evidence.second_moments()?;
        let rows = moments.rows()[0].max(1) as f64;
        let all: Vec<f64> = (0..moments.width()).map(|at| moments.of(0, at, at) / rows).collect();
        // A channel that was always zero may not be so on other samples.
        let least = all.iter().sum::<f64>() / all.len().max(1) as f64 * LEAST_IMPORTANCE;
        Ok(all.into_iter().map(|one| one.max(least) as f32).collect())
    }
}

/// How much an input channel counts at least, as a share of the mean of all.
const LEAST_IMPORTANCE: f64 = 1e-3;
