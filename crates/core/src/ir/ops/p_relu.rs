//! The rectifier with slopes that were learned.

use serde::{Deserialize, Serialize};

use super::arithmetic::pairs;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, constant, read};
use super::shapes::broadcast;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// `x` above zero, `slope x` below (He et al., arXiv 1502.01852). The slope broadcasts to the shape of `x`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PRelu;

impl Operator for PRelu {
    const SIGNATURE: Signature = Signature::new("PRelu", &[Input::data("x"), Input::constant_operand("slope")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        match broadcast(inputs[0], inputs[1])? {
            made if made == *inputs[0] => Ok(vec![made]),
            _ => Err(format!("slopes {:?} do not broadcast to {:?}", inputs[1], inputs[0])),
        }
    }

    fn work(&self) -> Work {
        Work::Elementwise
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        pairs(inputs, shapes, |x, slope| if x < 0.0 { slope * x } else { x })
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("PRelu"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(PRelu, 2, 7)
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", PRelu, vec![read([1, 16, 8, 8]), constant([16, 1, 1], 0.25)])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let kept = chance.of(0..=shape.len() - 1);
        let slope: Shape = shape[kept..].iter().map(|&size| if chance.yes() { size } else { 1 }).collect();
        Sample::new("", PRelu, vec![read(shape), constant(slope, 1.0)])
    }
}
