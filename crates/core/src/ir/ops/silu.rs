//! SiLU, also called swish.

use serde::{Deserialize, Serialize};

use super::arithmetic::{each, sigmoid};
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// `x * sigmoid(x)`. ONNX has it from operator set 24 on, as `Swish`; it is spelled out before it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Silu;

impl Operator for Silu {
    const SIGNATURE: Signature = Signature::new("Silu", &[Input::data("x")]).in_onnx(Some("Swish")).composite();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        each(inputs, shapes, |x| x * sigmoid(x))
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        None
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["alpha"], 24)?;
        match node.float("alpha", 1.0)? {
            1.0 => Ok(Imported::new(Silu, 1)),
            alpha => Err(format!("Swish with alpha {alpha} is not supported; 1 is")),
        }
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        unary(Silu)
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", Silu, vec![chance.read()])
    }
}
