//! The rectifier with a slope below zero.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// `x` above zero, `alpha x` below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeakyRelu {
    /// Slope below zero.
    pub alpha: f32,
}

impl Operator for LeakyRelu {
    const SIGNATURE: Signature = Signature::new("LeakyRelu", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let alpha = f64::from(self.alpha);
        each(inputs, shapes, |x| if x < 0.0 { alpha * x } else { x })
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("LeakyRelu").float("alpha", self.alpha))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["alpha"], 6)?;
        Ok(Imported::new(LeakyRelu { alpha: node.float("alpha", 0.01)? }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let usual = LeakyRelu { alpha: 0.01 };
        unary(usual)
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", LeakyRelu { alpha: chance.one(&[0.01, 0.25, 1.5]) }, vec![chance.read()])
    }
}
