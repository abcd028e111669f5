//! A change of encoding.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// The identity in float; marks a place where the encoding changes (say from 16 to 8 bits).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requantize;

impl Operator for Requantize {
    const SIGNATURE: Signature = Signature::new("Requantize", &[Input::data("x")]).in_onnx(Some("Identity"));

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Requantizes
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        each(inputs, shapes, |x| x)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Identity"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(Requantize, 1, 1)
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        unary(Requantize)
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", Requantize, vec![chance.read()])
    }
}
