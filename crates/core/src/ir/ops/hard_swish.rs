//! Hard swish.

use serde::{Deserialize, Serialize};

use super::arithmetic::each;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, unary};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// `x * clamp(x / 6 + 1/2, 0, 1)`: SiLU in straight lines (Howard et al., arXiv 1905.02244).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HardSwish;

impl Operator for HardSwish {
    const SIGNATURE: Signature = Signature::new("HardSwish", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        each(inputs, shapes, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0))
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("HardSwish"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(HardSwish, 1, 14)
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        unary(HardSwish)
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", HardSwish, vec![chance.read()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_straight_beyond_three() {
        let x = Constant::from_values(vec![-4.0, -3.0, -1.5, 0.0, 3.0, 4.0], vec![6]);
        assert_eq!(HardSwish.evaluate(&[x], vec![vec![6]])[0].to_f32(), [0.0, 0.0, -0.375, 0.0, 3.0, 4.0]);
    }
}
