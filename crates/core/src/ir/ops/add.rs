//! Sums.

use serde::{Deserialize, Serialize};

use super::arithmetic::pairs;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, broadcast_pair, pair};
use super::shapes::broadcast;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Elementwise sum with broadcasting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Add;

impl Operator for Add {
    const SIGNATURE: Signature = Signature::new("Add", &[Input::operand("a"), Input::operand("b")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![broadcast(inputs[0], inputs[1])?])
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        pairs(inputs, shapes, |a, b| a + b)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Add"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(Add, 2, 7)
    }

    fn samples(constants: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Add, pair(constants))]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        Sample::new("", Add, broadcast_pair(chance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_as_onnx_says() {
        assert_eq!(Add.shapes(&[&vec![1, 4, 3, 7], &vec![1, 1, 3, 7]]).unwrap(), [[1, 4, 3, 7]]);
        assert!(Add.shapes(&[&vec![2, 3], &vec![3, 2]]).is_err());
    }
}
