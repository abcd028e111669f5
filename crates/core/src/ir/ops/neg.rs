//! Negation.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Elementwise negation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neg;

impl Operator for Neg {
    const SIGNATURE: Signature = Signature::new("Neg", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        each(inputs, shapes, |x| -x)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Neg"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(Neg, 1, 6)
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        unary(Neg)
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", Neg, vec![chance.read()])
    }
}
