//! Permutation of axes.

use serde::{Deserialize, Serialize};

use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, read};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Permutation of the axes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transpose {
    /// Output axis `i` is input axis `perm[i]`.
    pub perm: Vec<usize>,
}

impl Operator for Transpose {
    const SIGNATURE: Signature = Signature::new("Transpose", &[Input::moved("data")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let mut sorted = self.perm.clone();
        sorted.sort_unstable();
        if sorted.len() != inputs[0].len() || sorted.iter().enumerate().any(|(i, &p)| i != p) {
            return Err(format!("{:?} is no permutation of the axes of {:?}", self.perm, inputs[0]));
        }
        Ok(vec![self.perm.iter().map(|&axis| inputs[0][axis]).collect()])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], _: Vec<Shape>) -> Vec<Constant> {
        vec![inputs[0].permuted(&self.perm)]
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Transpose").ints("perm", &self.perm))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["perm"], 1)?;
        let perm = node.ints("perm")?.unwrap_or((0..node.rank()?).rev().collect());
        Ok(Imported::new(Transpose { perm }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Transpose { perm: vec![0, 2, 1, 3] }, vec![read([1, 4, 16, 16])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let mut left: Vec<usize> = (0..shape.len()).collect();
        let perm = shape.iter().map(|_| left.remove(chance.of(0..=left.len() - 1))).collect();
        Sample::new("", Transpose { perm }, vec![SampleInput::Read(shape)])
    }
}
