//! Cuts out of one axis.

use serde::{Deserialize, Serialize};

use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, read};
use super::shapes::axis_size;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// The elements `start..end` of one axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The axis that is cut.
    pub axis: usize,
    /// First index kept.
    pub start: usize,
    /// First index not kept.
    pub end: usize,
}

impl Operator for Slice {
    const SIGNATURE: Signature = Signature::new("Slice", &[Input::moved("data")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let (size, Slice { axis, start, end }) = (axis_size(inputs[0], self.axis)?, self);
        if start >= end || *end > size {
            return Err(format!("an axis of {size} has no elements {start}..{end}"));
        }
        let mut shape = inputs[0].clone();
        shape[*axis] = end - start;
        Ok(vec![shape])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], _: Vec<Shape>) -> Vec<Constant> {
        vec![inputs[0].sliced(self.axis, self.start, self.end)]
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        let form = OnnxForm::new("Slice").integers("starts", &[self.start]).integers("ends", &[self.end]);
        Some(form.integers("axes", &[self.axis]))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["starts", "ends", "axes"], 1)?;
        // Attributes up to operator set 9, inputs since.
        let stated = |position: usize, name: &str| -> Result<Option<Vec<i64>>, String> {
            match node.opset {
                ..10 => node.signed(name),
                _ => node.integers(position),
            }
        };
        let missing = || "Slice does not say from where to where".to_string();
        let (starts, ends) = (stated(1, "starts")?.ok_or_else(missing)?, stated(2, "ends")?.ok_or_else(missing)?);
        let axes = stated(3, "axes")?.unwrap_or((0..starts.len() as i64).collect());
        let steps = if node.opset < 10 { None } else { node.integers(4)? };
        if let Some(steps) = steps.filter(|steps| steps.iter().any(|&step| step != 1)) {
            return Err(format!("Slice in steps of {steps:?} is not supported; 1 is"));
        }
        if starts.len() != ends.len() || starts.len() != axes.len() {
            return Err("Slice has different numbers of starts, ends and axes".into());
        }
        let mut cuts = Vec::new();
        for ((&axis, &start), &end) in axes.iter().zip(&starts).zip(&ends) {
            let axis = node.from_front(axis)?;
            let size = node.input(0)?.shape[axis];
            let place = |index: i64| {
                let counted = if index < 0 { index.saturating_add(size as i64) } else { index };
                counted.clamp(0, size as i64) as usize
            };
            cuts.push(Slice { axis, start: place(start), end: place(end) });
        }
        let whole = |cut: &Slice| cut.start == 0 && node.input(0).is_ok_and(|input| input.shape[cut.axis] == cut.end);
        let first = cuts.first().cloned().ok_or_else(missing)?;
        cuts.retain(|cut| !whole(cut));
        match cuts.as_slice() {
            [] => Ok(Imported::new(first, 1)),
            [cut] => Ok(Imported::new(cut.clone(), 1)),
            several => {
                Err(format!("Slice of {} axes at once is not supported; one Slice for each axis is", several.len()))
            }
        }
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Slice { axis: 1, start: 3, end: 11 }, vec![read([1, 16, 64])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let axis = chance.of(0..=shape.len() - 1);
        let start = chance.of(0..=shape[axis] - 1);
        let end = chance.of(start + 1..=shape[axis]);
        Sample::new("", Slice { axis, start, end }, vec![SampleInput::Read(shape)])
    }
}
