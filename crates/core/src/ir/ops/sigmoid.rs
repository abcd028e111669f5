//! The logistic function.

use serde::{Deserialize, Serialize};

use super::arithmetic::{each, sigmoid};
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Logistic function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sigmoid;

impl Operator for Sigmoid {
    const SIGNATURE: Signature = Signature::new("Sigmoid", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        each(inputs, shapes, sigmoid)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Sigmoid"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(Sigmoid, 1, 6)
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        [unary(Sigmoid), unary(Sigmoid).into_iter().map(Sample::to_the_ends).collect()].concat()
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", Sigmoid, vec![chance.read()])
    }
}
