//! The exponential linear unit.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// `x` above zero, `alpha (exp(x) - 1)` below (Clevert et al., arXiv 1511.07289).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Elu {
    /// Minus the value far below zero.
    pub alpha: f32,
}

impl Operator for Elu {
    const SIGNATURE: Signature = Signature::new("Elu", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let alpha = f64::from(self.alpha);
        each(inputs, shapes, |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Elu").float("alpha", self.alpha))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["alpha"], 6)?;
        Ok(Imported::new(Elu { alpha: node.float("alpha", 1.0)? }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let usual = Elu { alpha: 1.0 };
        unary(usual)
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", Elu { alpha: chance.one(&[1.0, 0.5, 2.0]) }, vec![chance.read()])
    }
}
