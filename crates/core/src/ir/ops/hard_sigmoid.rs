//! The logistic function in straight lines.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// `clamp(alpha x + beta, 0, 1)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HardSigmoid {
    /// Slope between the ends.
    pub alpha: f32,
    /// Value at zero.
    pub beta: f32,
}

impl Operator for HardSigmoid {
    const SIGNATURE: Signature = Signature::new("HardSigmoid", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let alpha = f64::from(self.alpha);
        let beta = f64::from(self.beta);
        each(inputs, shapes, |x| (alpha * x + beta).clamp(0.0, 1.0))
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("HardSigmoid").float("alpha", self.alpha).float("beta", self.beta))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["alpha", "beta"], 6)?;
        Ok(Imported::new(HardSigmoid { alpha: node.float("alpha", 0.2)?, beta: node.float("beta", 0.5)? }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let usual = HardSigmoid { alpha: 0.2, beta: 0.5 };
        [unary(usual.clone()), unary(usual).into_iter().map(Sample::to_the_ends).collect()].concat()
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new(
            "",
            HardSigmoid { alpha: chance.one(&[0.2, 0.5]), beta: chance.one(&[0.5, 0.25]) },
            vec![chance.read()],
        )
    }
}
