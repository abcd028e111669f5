//! Layer normalization.

use serde::{Deserialize, Serialize};

use super::arithmetic::along;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, constant, read};
use super::shapes::axis_size;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Layer normalization over the last axis: `(x - mean(x)) / sqrt(var(x) + epsilon) * gamma + bias` (Ba et al., arXiv
/// 1607.06450). Inputs: `x`, `gamma` and `bias`, both `[size of the last axis]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerNorm {
    /// Added to the variance.
    pub epsilon: f32,
}

impl Operator for LayerNorm {
    const SIGNATURE: Signature =
        Signature::new("LayerNormalization", &[Input::data("x"), Input::gain("gamma"), Input::bias("bias")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let size = axis_size(inputs[0], inputs[0].len().saturating_sub(1))?;
        if let Some(shape) = inputs[1..].iter().find(|shape| ***shape != [size]) {
            return Err(format!("gamma or bias has shape {shape:?}, [{size}] is wanted"));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn scaled_axis(&self, rank: usize) -> Option<usize> {
        rank.checked_sub(1)
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (gamma, bias) = (inputs[1].to_f32(), inputs[2].to_f32());
        along(&inputs[0], inputs[0].shape().len() - 1, shapes, |row| {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / row.len() as f64;
            let size = (variance + f64::from(self.epsilon)).sqrt();
            let factors = gamma.iter().zip(&bias);
            row.iter_mut().zip(factors).for_each(|(x, (gamma, bias))| {
                *x = (*x - mean) / size * f64::from(*gamma) + f64::from(*bias);
            });
        })
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        let rank = inputs[0].len();
        Some(OnnxForm::new("LayerNormalization").axis(rank - 1, rank).float("epsilon", self.epsilon))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["axis", "epsilon", "stash_type"], 17)?;
        node.demand_int("stash_type", 1)?;
        let axis = node.axis(Some(-1))?;
        if axis + 1 != node.rank()? {
            return Err(format!(
                "LayerNormalization over the axes from {axis} on is not supported; over the last one is"
            ));
        }
        if !node.has(2) {
            return Err("LayerNormalization without a bias is not supported; give it one of zeros".into());
        }
        if node.outputs != 1 {
            return Err("LayerNormalization that gives its mean and deviation is not supported".into());
        }
        Ok(Imported::new(LayerNorm { epsilon: node.float("epsilon", 1e-5)? }, 3))
    }

    fn samples(constants: Constants) -> Vec<Sample<Self>> {
        let mut inputs = vec![read([1, 16, 64]), constant([64], 0.5)];
        inputs.extend(constants.bias.then_some(SampleInput::Bias(64)));
        vec![Sample::new("", LayerNorm { epsilon: 1e-6 }, inputs)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let size = shape[shape.len() - 1];
        let epsilon = chance.one(&[1e-6, 1e-5, 0.1]);
        let inputs = vec![SampleInput::Read(shape), constant([size], 0.5), SampleInput::Bias(size)];
        Sample::new("", LayerNorm { epsilon }, inputs)
    }
}
