//! The scaled exponential linear unit.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// `gamma x` above zero, `gamma alpha (exp(x) - 1)` below (Klambauer et al., arXiv 1706.02515).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selu {
    /// Minus the value far below zero, before scaling.
    pub alpha: f32,
    /// Slope above zero.
    pub gamma: f32,
}

impl Operator for Selu {
    const SIGNATURE: Signature = Signature::new("Selu", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let alpha = f64::from(self.alpha);
        let gamma = f64::from(self.gamma);
        each(inputs, shapes, |x| gamma * if x < 0.0 { alpha * x.exp_m1() } else { x })
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Selu").float("alpha", self.alpha).float("gamma", self.gamma))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["alpha", "gamma"], 6)?;
        Ok(Imported::new(Selu { alpha: node.float("alpha", 1.673_263_2)?, gamma: node.float("gamma", 1.050_701)? }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let usual = Selu { alpha: 1.673_263_2, gamma: 1.050_701 };
        unary(usual)
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new(
            "",
            Selu { alpha: chance.one(&[1.673_263_2, 0.5]), gamma: chance.one(&[1.050_701, 2.0]) },
            vec![chance.read()],
        )
    }
}
