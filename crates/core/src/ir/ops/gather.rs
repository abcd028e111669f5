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

/// Picks elements along one axis. Inputs: `data`, `indices` of any rank, whose shape stands in place of the axis;
/// negative indices count from the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gather {
    /// The axis that is picked from.
    pub axis: usize,
}

impl Operator for Gather {
    const SIGNATURE: Signature = Signature::new("Gather", &[Input::moved("data"), Input::indices("indices")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        axis_size(inputs[0], self.axis)?;
        let (before, behind) = (&inputs[0][..self.axis], &inputs[0][self.axis + 1..]);
        Ok(vec![[before, inputs[1], behind].concat()])
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
        let shape_of_indices = inputs[1].shape();
        let behind = self.axis + shape_of_indices.len();
        let place = |index: Vec<usize>| {
            let of_axis = index[self.axis..behind].iter().zip(shape_of_indices);
            let which = of_axis.fold(0, |which, (&at, &size)| which * size + at);
            [&index[..self.axis], &[indices[which]], &index[behind..]].concat()
        };
        shapes.iter().map(|shape| picked(&inputs[0], shape, place)).collect()
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Gather").axis(self.axis, inputs[0].len()))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["axis"], 1)?;
        let axis = node.axis(Some(0))?;
        Ok(Imported::new(Gather { axis }, 2))
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
    fn the_axes_of_indices_stand_in_place_of_the_axis() {
        let data = Constant::from_values((0..6).map(|at| at as f32).collect(), vec![2, 3]);
        let picked = |axis: usize, indices: Vec<i64>, shape: Vec<usize>| {
            let indices = Constant::from_integers(ElementType::I64, indices, shape);
            let made = crate::ir::Op::from(Gather { axis }).evaluate(&[data.clone(), indices]).unwrap();
            (made[0].shape().to_vec(), made[0].to_f32())
        };
        assert_eq!(picked(1, vec![2, 0, -2, 1], vec![2, 2]), (vec![2, 2, 2], vec![2., 0., 1., 1., 5., 3., 4., 4.]));
        assert_eq!(picked(0, vec![1], vec![1, 1]), (vec![1, 1, 3], vec![3., 4., 5.]));
        assert_eq!(picked(0, vec![1], vec![]), (vec![3], vec![3., 4., 5.]));
    }
}
