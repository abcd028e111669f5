//! Picks elements.

use serde::{Deserialize, Serialize};

use super::arithmetic::picked;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, read};
use super::shapes::axis_size;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Picks elements along one axis. Inputs: `data`, `indices` (rank 1); negative indices count from the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gather {
    /// The axis that is picked from.
    pub axis: usize,
}

impl Operator for Gather {
    const SIGNATURE: Signature = Signature::new("Gather", &[Input::moved("data"), Input::indices("indices")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        axis_size(inputs[0], self.axis)?;
        let &[count] = inputs[1].as_slice() else {
            return Err(format!("Gather takes indices of rank 1, not {:?}", inputs[1]));
        };
        let mut shape = inputs[0].clone();
        shape[self.axis] = count;
        Ok(vec![shape])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let size = inputs[0].shape()[self.axis] as i64;
        // What is out of bounds is not defined; it picks the nearest there is.
        let counted = |index: i64| if index < 0 { index.saturating_add(size) } else { index };
        let indices: Vec<usize> =
            inputs[1].to_i64().into_iter().map(|index| counted(index).clamp(0, size - 1) as usize).collect();
        let place = |mut index: Vec<usize>| {
            index[self.axis] = indices[index[self.axis]];
            index
        };
        shapes.iter().map(|shape| picked(&inputs[0], shape, place)).collect()
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Gather").axis(self.axis, inputs[0].len()))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["axis"], 1)?;
        let axis = node.axis(Some(0))?;
        match node.input(1)?.shape.len() {
            1 => Ok(Imported::new(Gather { axis }, 2)),
            rank => Err(format!("Gather of indices of rank {rank} is not supported; 1 is")),
        }
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Gather { axis: 1 }, vec![read([1, 16, 64]), SampleInput::Indices(vec![7, 2])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let axis = chance.of(0..=shape.len() - 1);
        let indices = (0..chance.of(1..=4)).map(|_| chance.of(0..=shape[axis] - 1) as i32).collect();
        Sample::new("", Gather { axis }, vec![SampleInput::Read(shape), SampleInput::Indices(indices)])
    }
}
