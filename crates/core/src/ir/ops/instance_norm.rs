//! Normalization of each channel of each picture.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, constant, read};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Normalization of `[N,C,..]` over all axes but the first two: `(x - mean(x)) / sqrt(var(x) + epsilon) * gamma + bias`
/// (Ulyanov et al., arXiv 1607.08022). Inputs: `x`, `gamma` and `bias`, both `[C]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceNorm {
    /// Added to the variance.
    pub epsilon: f32,
}

impl Operator for InstanceNorm {
    const SIGNATURE: Signature =
        Signature::new("InstanceNormalization", &[Input::data("x"), Input::gain("gamma"), Input::bias("bias")])
            .on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let &[_, channels, _, ..] = inputs[0].as_slice() else {
            return Err(format!("at least three axes are wanted, not {:?}", inputs[0]));
        };
        if let Some(shape) = inputs[1..].iter().find(|shape| ***shape != [channels]) {
            return Err(format!("gamma or bias has shape {shape:?}, [{channels}] is wanted"));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (gamma, bias) = (inputs[1].to_f32(), inputs[2].to_f32());
        let count = shapes[0][2..].iter().product();
        let mut values = inputs[0].to_f32();
        for (at, part) in values.chunks_exact_mut(count).enumerate() {
            let (gamma, bias) = (f64::from(gamma[at % gamma.len()]), f64::from(bias[at % bias.len()]));
            let mean = part.iter().map(|&x| f64::from(x)).sum::<f64>() / count as f64;
            let variance = part.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count as f64;
            let size = (variance + f64::from(self.epsilon)).sqrt();
            part.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) / size * gamma + bias) as f32);
        }
        one(values, shapes)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("InstanceNormalization").float("epsilon", self.epsilon))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["epsilon"], 6)?;
        node.demand_inputs(3)?;
        Ok(Imported::new(InstanceNorm { epsilon: node.float("epsilon", 1e-5)? }, 3))
    }

    fn samples(constants: Constants) -> Vec<Sample<Self>> {
        let sample = |name, size: usize| {
            let mut inputs = vec![read([1, 16, size, size]), constant([16], 0.0)];
            inputs.extend(constants.bias.then_some(SampleInput::Bias(16)));
            Sample::new(name, InstanceNorm { epsilon: 1e-5 }, inputs)
        };
        vec![sample("8x8", 8), sample("64x64", 64), sample("inputs of size 0.01", 8).sized(0.01)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let rest = chance.of(1..=2);
        let mut shape = vec![chance.of(1..=2), chance.of(1..=4)];
        // One element alone is what its mean is.
        shape.extend((0..rest).map(|_| chance.of(2..=5)));
        let epsilon = chance.one(&[1e-6, 1e-5, 0.1]);
        let inputs = vec![SampleInput::Read(shape.clone()), constant([shape[1]], 0.5), SampleInput::Bias(shape[1])];
        Sample::new("", InstanceNorm { epsilon }, inputs)
    }
}
