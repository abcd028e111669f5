//! Softmax.

use serde::{Deserialize, Serialize};

use super::arithmetic::along;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, read};
use super::shapes::axis_size;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Softmax over one axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Softmax {
    /// The axis that sums to one.
    pub axis: usize,
}

impl Operator for Softmax {
    const SIGNATURE: Signature = Signature::new("Softmax", &[Input::data("x")]).along_an_axis();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        axis_size(inputs[0], self.axis)?;
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn axis(&self) -> Option<usize> {
        Some(self.axis)
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        along(&inputs[0], self.axis, shapes, |row| {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter_mut().for_each(|x| *x = (*x - most).exp());
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|x| *x /= sum);
        })
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Softmax").axis(self.axis, inputs[0].len()))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["axis"], 1)?;
        if node.opset >= 13 {
            return Ok(Imported::new(Softmax { axis: node.axis(Some(-1))? }, 1));
        }
        // Before, all axes from this one on summed to one together.
        let axis = node.axis(Some(1))?;
        match axis + 1 == node.rank()? {
            true => Ok(Imported::new(Softmax { axis }, 1)),
            false => {
                Err(format!("Softmax of operator set {} over the axes from {axis} on is not supported", node.opset))
            }
        }
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let on = |axis| Sample::new("", Softmax { axis }, vec![read([1, 16, 64])]);
        vec![on(2), on(1).on_another_axis(), on(2).to_the_ends()]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let axis = chance.of(0..=shape.len() - 1);
        Sample::new("", Softmax { axis }, vec![SampleInput::Read(shape)])
    }
}
