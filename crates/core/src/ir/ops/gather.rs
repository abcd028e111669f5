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

/// Picks elements along one axis. Inputs: `data`, `indices`, whose axes stand in the place of that axis; negative
/// indices count from the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gather {
    /// The axis that is picked from.
    pub axis: usize,
}

impl Operator for Gather {
    const SIGNATURE: Signature = Signature::new("Gather", &[Input::moved("data"), Input::indices("indices")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        axis_size(inputs[0], self.axis)?;
        if inputs[1].is_empty() {
            return Err("Gather takes indices of rank 1 or more, not a single number".into());
        }
        Ok(vec![[&inputs[0][..self.axis], inputs[1], &inputs[0][self.axis + 1..]].concat()])
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
        let (axis, picking) = (self.axis, inputs[1].shape());
        let place = |index: Vec<usize>| {
            let (before, rest) = index.split_at(axis);
            let (picked, behind) = rest.split_at(picking.len());
            let at = picked.iter().zip(picking).fold(0, |place, (at, size)| place * size + at);
            [before, &[indices[at]], behind].concat()
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
            0 => Err("Gather of a single index is not supported; indices of rank 1 or more are".into()),
            _ => Ok(Imported::new(Gather { axis }, 2)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::types::ElementType;

    #[test]
    fn axes_of_indices_stand_where_they_pick() {
        let data = Constant::from_values((0..12u8).map(f32::from).collect(), vec![2, 3, 2]);
        let indices = Constant::from_integers(ElementType::I32, vec![2, 0, -1, 1], vec![2, 2]);
        let gather = Gather { axis: 1 };
        let shapes = gather.shapes(&[data.shape(), indices.shape()]).unwrap();
        assert_eq!(shapes, [[2, 2, 2, 2]]);
        let made = gather.evaluate(&[data, indices], shapes).swap_remove(0).to_f32();
        assert_eq!(made, [4., 5., 0., 1., 4., 5., 2., 3., 10., 11., 6., 7., 10., 11., 8., 9.]);
        assert!(gather.shapes(&[&vec![2, 3], &vec![]]).is_err());
    }
}
