//! Concatenation.

use serde::{Deserialize, Serialize};

use super::arithmetic::picked;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, read};
use super::shapes::axis_size;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Concatenation of all inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Concat {
    /// The axis along which they are joined.
    pub axis: usize,
}

impl Operator for Concat {
    const SIGNATURE: Signature = Signature::new("Concat", &[Input::moved("part")]).repeated();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let (mut shape, axis) = (inputs[0].clone(), self.axis);
        let mut total = 0usize;
        for other in inputs {
            let same = other.len() == shape.len() && (0..shape.len()).all(|i| i == axis || other[i] == shape[i]);
            if !same {
                return Err(format!("{other:?} cannot be joined to {shape:?} along axis {axis}"));
            }
            total = total.saturating_add(axis_size(other, axis)?);
        }
        shape[axis] = total;
        Ok(vec![shape])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (shape, axis) = (&shapes[0], self.axis);
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        // All parts in a row, each of which is picked from its place.
        let starts: Vec<usize> = inputs
            .iter()
            .scan(0, |start, part| {
                let first = *start;
                *start += outer * part.shape()[axis] * inner;
                Some(first)
            })
            .collect();
        let row = joined(inputs);
        let place = |index: Vec<usize>| {
            let mut at = index[axis];
            let part = inputs.iter().position(|part| {
                let size = part.shape()[axis];
                let is_here = at < size;
                at -= if is_here { 0 } else { size };
                is_here
            });
            let part = part.unwrap_or_default();
            let before = index[..axis].iter().zip(shape).fold(0, |place, (at, size)| place * size + at);
            let behind =
                index[axis + 1..].iter().zip(&shape[axis + 1..]).fold(0, |place, (at, size)| place * size + at);
            vec![starts[part] + (before * inputs[part].shape()[axis] + at) * inner + behind]
        };
        vec![picked(&row, shape, place)]
    }

    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Concat").axis(self.axis, inputs[0].len()))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["axis"], 4)?;
        Ok(Imported::new(Concat { axis: node.axis(None)? }, node.inputs.len()))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Concat { axis: 2 }, vec![read([1, 16, 64]), read([1, 16, 32])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let axis = chance.of(0..=shape.len() - 1);
        let parts = (0..chance.of(1..=3)).map(|_| {
            let mut part = shape.clone();
            part[axis] = chance.of(1..=4);
            SampleInput::Read(part)
        });
        let parts = parts.collect();
        Sample::new("", Concat { axis }, parts)
    }
}

/// The elements of all parts, one part after the other.
fn joined(parts: &[Constant]) -> Constant {
    let element = parts[0].element_type();
    if element.is_real() {
        let values: Vec<f32> = parts.iter().flat_map(Constant::to_f32).collect();
        let count = values.len();
        return Constant::from_values(values, vec![count]);
    }
    let values: Vec<i64> = parts.iter().flat_map(Constant::to_i64).collect();
    let count = values.len();
    Constant::from_integers(element, values, vec![count])
}
