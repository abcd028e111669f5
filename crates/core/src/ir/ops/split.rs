//! Cuts into equal parts.

use serde::{Deserialize, Serialize};

use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, read};
use super::shapes::axis_size;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Most outputs of one node.
const MOST_PARTS: usize = 1024;

/// Cut into equal parts, one output each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The axis that is cut.
    pub axis: usize,
    /// Number of parts; divides the axis.
    pub parts: usize,
}

impl Operator for Split {
    const SIGNATURE: Signature = Signature::new("Split", &[Input::moved("data")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let (size, parts) = (axis_size(inputs[0], self.axis)?, self.parts);
        if parts == 0 || parts > MOST_PARTS || size % parts != 0 {
            return Err(format!("an axis of {size} cannot be split into {parts} equal parts"));
        }
        let mut shape = inputs[0].clone();
        shape[self.axis] = size / parts;
        Ok(vec![shape; parts])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let size = shapes[0][self.axis];
        (0..self.parts).map(|part| inputs[0].sliced(self.axis, part * size, (part + 1) * size)).collect()
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Split").axis(self.axis, inputs[0].len()).int("num_outputs", self.parts))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["axis", "num_outputs", "split"], 2)?;
        let axis = node.axis(Some(0))?;
        let parts = node.outputs;
        if node.int("num_outputs", parts as i64)? != parts as i64 {
            return Err(format!("Split has {parts} outputs, and says another number"));
        }
        let sizes = match node.integers(1)? {
            Some(sizes) => Some(sizes),
            None => node.ints("split")?.map(|sizes| sizes.into_iter().map(|size| size as i64).collect()),
        };
        match sizes {
            Some(sizes) if sizes.len() != parts || sizes.iter().any(|size| *size != sizes[0]) => {
                Err(format!("Split into parts of {sizes:?} is not supported; equal parts are"))
            }
            _ => Ok(Imported::new(Split { axis, parts }, 1)),
        }
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Split { axis: 2, parts: 2 }, vec![read([1, 16, 64])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let mut shape = chance.shape();
        let axis = chance.of(0..=shape.len() - 1);
        let parts = chance.of(1..=4);
        shape[axis] *= parts;
        Sample::new("", Split { axis, parts }, vec![SampleInput::Read(shape)])
    }
}
