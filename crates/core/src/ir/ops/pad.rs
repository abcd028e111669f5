//! Padding.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::signature::{Input, Signature};
use crate::ir::constant::{Constant, index_of};
use crate::ir::types::Shape;

/// What padding is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// One number.
    Constant(f32),
    /// What is as far on the other side of the first or last element, which itself is not repeated.
    Reflect,
    /// The first or last element.
    Edge,
}

/// Elements before and behind those of each axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pad {
    /// How many before the first of each axis.
    pub before: Vec<usize>,
    /// How many behind the last of each axis.
    pub after: Vec<usize>,
    /// What they are.
    pub padding: Padding,
}

impl Pad {
    /// Where the element for a place of the result is, along an axis of this size; none for one of the constant.
    fn source(&self, place: usize, axis: usize, size: usize) -> Option<usize> {
        let (before, last) = (self.before[axis], size - 1);
        match self.padding {
            Padding::Constant(_) => place.checked_sub(before).filter(|&at| at < size),
            Padding::Edge => Some(place.saturating_sub(before).min(last)),
            Padding::Reflect => {
                let at = place.abs_diff(before);
                Some(if at > last { 2 * last - at } else { at })
            }
        }
    }
}

impl Operator for Pad {
    const SIGNATURE: Signature = Signature::new("Pad", &[Input::data("x")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let x = inputs[0];
        if self.before.len() != x.len() || self.after.len() != x.len() {
            return Err(format!("padding of {} axes does not fit {x:?}", self.before.len()));
        }
        if let Padding::Constant(value) = self.padding
            && !value.is_finite()
        {
            return Err(format!("Pad with {value} is not supported; a number is wanted"));
        }
        let side = |axis: usize| {
            let (before, after, size) = (self.before[axis], self.after[axis], x[axis]);
            if self.padding == Padding::Reflect && before.max(after) >= size {
                return Err(format!("an axis of {size} has no {} elements to reflect", before.max(after)));
            }
            size.checked_add(before).and_then(|size| size.checked_add(after)).ok_or("Pad makes too much".to_string())
        };
        Ok(vec![(0..x.len()).map(side).collect::<Result<_, _>>()?])
    }

    /// The number that fills it lies in the range of the result, whose encoding the elements share.
    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (x, from, shape) = (inputs[0].to_f32(), inputs[0].shape(), &shapes[0]);
        let filling = if let Padding::Constant(value) = self.padding { value } else { 0.0 };
        let element = |at: usize| {
            let index = index_of(at, shape);
            let place = index.iter().enumerate().try_fold(0, |position, (axis, &place)| {
                Some(position * from[axis] + self.source(place, axis, from[axis])?)
            });
            place.map_or(filling, |place| x[place])
        };
        one((0..shape.iter().product()).map(element).collect(), shapes)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        let form = OnnxForm::new("Pad");
        let form = match self.padding {
            Padding::Constant(_) => form.text("mode", "constant"),
            Padding::Reflect => form.text("mode", "reflect"),
            Padding::Edge => form.text("mode", "edge"),
        };
        let form = form.integers("pads", &[&self.before[..], &self.after].concat());
        Some(if let Padding::Constant(value) = self.padding { form.real("value", value) } else { form })
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        let amounts = Amounts::of(node)?;
        let sizes = |amounts: Vec<i64>| {
            let sizes: Option<Vec<usize>> = amounts.iter().map(|&amount| usize::try_from(amount).ok()).collect();
            sizes.ok_or_else(|| format!("Pad that cuts off, by {amounts:?}, is not supported here"))
        };
        let (before, after) = (sizes(amounts.before)?, sizes(amounts.after)?);
        Ok(Imported::new(Pad { before, after, padding: amounts.padding }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let sample = |name, before: [usize; 4], after: [usize; 4], padding| {
            let (before, after) = (before.to_vec(), after.to_vec());
            Sample::new(name, Pad { before, after, padding }, vec![read([1, 16, 8, 8])])
        };
        vec![
            sample("zeros", [0, 0, 1, 1], [0, 0, 1, 2], Padding::Constant(0.0)),
            sample("zeros beside channels", [0, 4, 0, 0], [0, 4, 0, 0], Padding::Constant(0.0)),
            sample("a number", [0, 0, 1, 1], [0, 0, 1, 1], Padding::Constant(-0.5)),
            sample("reflect", [0, 0, 2, 2], [0, 0, 2, 2], Padding::Reflect),
            sample("edge", [0, 0, 1, 1], [0, 0, 1, 1], Padding::Edge),
        ]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let shape = chance.shape();
        let padding = chance.one(&[Padding::Constant(0.0), Padding::Constant(0.5), Padding::Reflect, Padding::Edge]);
        let most = |size: usize| if padding == Padding::Reflect { (size - 1).min(2) } else { 2 };
        let before = shape.iter().map(|&size| chance.of(0..=most(size))).collect();
        let after = shape.iter().map(|&size| chance.of(0..=most(size))).collect();
        Sample::new("", Pad { before, after, padding }, vec![read(shape)])
    }
}

/// What a node of ONNX says: negative amounts are cut off.
#[derive(Debug, Clone, PartialEq)]
pub struct Amounts {
    /// How many before the first of each axis.
    pub before: Vec<i64>,
    /// How many behind the last of each axis.
    pub after: Vec<i64>,
    /// What they are.
    pub padding: Padding,
}

impl Amounts {
    /// Attributes up to operator set 10, inputs since, axes of their own since 18.
    ///
    /// # Errors
    /// Says in words what of the node is not taken.
    pub fn of(node: &OnnxNode) -> Result<Self, String> {
        node.expect(&["mode", "pads", "value"], 2)?;
        let rank = node.rank()?;
        let (stated, value) = match node.opset {
            ..11 => (node.signed("pads")?, node.float("value", 0.0)?),
            _ => (node.integers(1)?, node.real(2)?.unwrap_or_default()),
        };
        let stated = stated.ok_or("Pad has no `pads`")?;
        let axes = match node.integers(3)? {
            Some(axes) => axes.into_iter().map(|axis| node.from_front(axis)).collect::<Result<Vec<_>, _>>()?,
            None => (0..rank).collect(),
        };
        if stated.len() != 2 * axes.len() {
            return Err(format!("Pad has {} amounts for {} axes", stated.len(), axes.len()));
        }
        let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
        for (at, &axis) in axes.iter().enumerate() {
            (before[axis], after[axis]) = (stated[at], stated[at + axes.len()]);
        }
        let padding = match node.text("mode", "constant")?.as_str() {
            "constant" => Padding::Constant(value),
            "reflect" => Padding::Reflect,
            "edge" => Padding::Edge,
            other => return Err(format!("Pad with mode {other} is not supported; constant, reflect and edge are")),
        };
        Ok(Amounts { before, after, padding })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ops::{Attribute, OnnxInput};
    use crate::ir::types::ElementType;

    fn padded(padding: Padding) -> Vec<f32> {
        let pad = Pad { before: vec![2], after: vec![1], padding };
        let x = Constant::from_values(vec![1.0, 2.0, 3.0], vec![3]);
        let shapes = pad.shapes(&[x.shape()]).unwrap();
        pad.evaluate(&[x], shapes)[0].to_f32()
    }

    #[test]
    fn padding_is_a_number_a_reflection_or_the_edge() {
        assert_eq!(padded(Padding::Constant(9.0)), [9.0, 9.0, 1.0, 2.0, 3.0, 9.0]);
        assert_eq!(padded(Padding::Reflect), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
        assert_eq!(padded(Padding::Edge), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
        let pad = Pad { before: vec![3], after: vec![0], padding: Padding::Reflect };
        assert!(pad.shapes(&[&vec![3]]).unwrap_err().contains("no 3 elements"));
    }

    #[test]
    fn amounts_are_attributes_then_inputs_then_those_of_some_axes() {
        let known = |values: Vec<i64>| {
            let shape = vec![values.len()];
            let constant = Some(Constant::from_integers(ElementType::I64, values, shape.clone()));
            Some(OnnxInput { shape, element: ElementType::I64, constant })
        };
        let x = Some(OnnxInput { shape: vec![1, 4, 4], element: ElementType::F32, constant: None });
        let attributes = vec![("pads".to_string(), Attribute::Ints(vec![0, 0, 1, 0, 0, 2]))];
        let node =
            |opset, attributes, inputs| OnnxNode { op_type: "Pad".into(), opset, attributes, inputs, outputs: 1 };
        let of = |node: &OnnxNode| Pad::from_onnx(node).map(|made| made.operator);
        let wanted = Pad { before: vec![0, 0, 1], after: vec![0, 0, 2], padding: Padding::Constant(0.0) };
        assert_eq!(of(&node(9, attributes, vec![x.clone()])).unwrap(), wanted);
        let inputs = vec![x.clone(), known(vec![0, 0, 1, 0, 0, 2])];
        assert_eq!(of(&node(13, vec![], inputs)).unwrap(), wanted);
        let inputs = vec![x.clone(), known(vec![1, 2]), None, known(vec![-1])];
        assert_eq!(of(&node(18, vec![], inputs)).unwrap(), wanted);
        let inputs = vec![x, known(vec![0, 0, -1, 0, 0, 0])];
        assert!(of(&node(13, vec![], inputs)).unwrap_err().contains("cuts off"));
    }
}
