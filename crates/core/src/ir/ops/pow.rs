//! Powers.

use serde::{Deserialize, Serialize};

use super::arithmetic::pairs;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, broadcast_pair, constant, positive};
use super::shapes::broadcast;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// The first input to the power of the second, with broadcasting. Whole exponents of a model are real numbers here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pow;

impl Operator for Pow {
    const SIGNATURE: Signature = Signature::new("Pow", &[Input::operand("base"), Input::operand("exponent")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![broadcast(inputs[0], inputs[1])?])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        pairs(inputs, shapes, |base, exponent| f64::from(base).powf(exponent.into()) as f32)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Pow"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(Pow, 2, 7)
    }

    fn samples(constants: Constants) -> Vec<Sample<Self>> {
        let exponent = if constants.weights { constant([1], 0.5) } else { positive([1, 16, 64]) };
        vec![Sample::new("", Pow, vec![positive([1, 16, 64]), exponent])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let mut inputs = broadcast_pair(chance);
        // What is below zero has no power of a fraction.
        inputs[0] = match inputs[0].clone() {
            SampleInput::Constant(shape, _) => SampleInput::PositiveConstant(shape),
            SampleInput::Read(shape) => SampleInput::Positive(shape),
            other => other,
        };
        Sample::new("", Pow, inputs)
    }
}
