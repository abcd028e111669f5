//! Products of elements.

use serde::{Deserialize, Serialize};

use super::arithmetic::pairs;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, broadcast_pair, pair};
use super::shapes::broadcast;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Elementwise product with broadcasting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mul;

impl Operator for Mul {
    const SIGNATURE: Signature = Signature::new("Mul", &[Input::operand("a"), Input::operand("b")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![broadcast(inputs[0], inputs[1])?])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        pairs(inputs, shapes, |a, b| a * b)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Mul"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(Mul, 2, 7)
    }

    fn samples(constants: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Mul, pair(constants))]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", Mul, broadcast_pair(chance))
    }
}
