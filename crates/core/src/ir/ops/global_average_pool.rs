//! Mean over whole pictures.

use serde::{Deserialize, Serialize};

use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::reduction::over;
use super::sample::{Chance, Constants, Sample, read};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Mean over all axes of `[N,C,..]` but the first two, which stay with size 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GlobalAveragePool;

impl Operator for GlobalAveragePool {
    const SIGNATURE: Signature = Signature::new("GlobalAveragePool", &[Input::data("x")]).on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let mut shape = inputs[0].clone();
        if shape.len() < 3 {
            return Err(format!("at least three axes are wanted, not {shape:?}"));
        }
        shape[2..].fill(1);
        Ok(vec![shape])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let axes: Vec<usize> = (2..inputs[0].shape().len()).collect();
        over(&inputs[0], &axes, shapes, |row| row.iter().sum::<f64>() / row.len() as f64)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("GlobalAveragePool"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(GlobalAveragePool, 1, 1)
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", GlobalAveragePool, vec![read([1, 16, 8, 8])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let picture = [chance.of(1..=2), chance.of(1..=4), chance.of(1..=6), chance.of(1..=6)];
        Sample::new("", GlobalAveragePool, vec![read(picture)])
    }
}
