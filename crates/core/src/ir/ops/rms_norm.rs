//! Root mean square normalization.

use serde::{Deserialize, Serialize};

use super::arithmetic::along;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, constant, read};
use super::shapes::axis_size;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Root mean square normalization over one axis: `x / sqrt(mean(x^2) + epsilon) * gamma` (Zhang & Sennrich, arXiv
/// 1910.07467). Inputs: `x`, `gamma [size of the axis]`. ONNX `RMSNormalization` where the axis is the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RmsNorm {
    /// The normalized axis.
    pub axis: usize,
    /// Added to the mean square.
    pub epsilon: f32,
}

impl Operator for RmsNorm {
    const SIGNATURE: Signature = Signature::new("RMSNormalization", &[Input::data("x"), Input::gain("gamma")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let size = axis_size(inputs[0], self.axis)?;
        if *inputs[1] != [size] {
            return Err(format!("gamma has shape {:?}, [{size}] is wanted", inputs[1]));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn scaled_axis(&self, _: usize) -> Option<usize> {
        Some(self.axis)
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let gamma = inputs[1].to_f32();
        along(&inputs[0], self.axis, shapes, |row| {
            let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
            let size = (mean + f64::from(self.epsilon)).sqrt();
            row.iter_mut().zip(&gamma).for_each(|(x, gamma)| *x *= f64::from(*gamma) / size);
        })
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        let rank = inputs[0].len();
        let form = OnnxForm::new("RMSNormalization").axis(self.axis, rank).float("epsilon", self.epsilon);
        (self.axis + 1 == rank).then_some(form)
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["axis", "epsilon", "stash_type"], 23)?;
        node.demand_int("stash_type", 1)?;
        let axis = node.axis(Some(-1))?;
        if axis + 1 != node.rank()? {
            return Err(format!(
                "RMSNormalization over the axes from {axis} on is not supported; over the last one is"
            ));
        }
        Ok(Imported::new(RmsNorm { axis, epsilon: node.float("epsilon", 1e-5)? }, 2))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let norm = || RmsNorm { axis: 2, epsilon: 1e-6 };
        let sample = |name| Sample::new(name, norm(), vec![read([1, 16, 64]), constant([64], 0.5)]);
        vec![sample("inputs of size 1"), sample("inputs of size 0.01").sized(0.01)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let axis = if chance.yes() { shape.len() - 1 } else { chance.of(0..=shape.len() - 1) };
        let epsilon = chance.one(&[1e-6, 1e-5, 0.1]);
        let gamma = constant([shape[axis]], 0.5);
        Sample::new("", RmsNorm { axis, epsilon }, vec![SampleInput::Read(shape), gamma])
    }
}
