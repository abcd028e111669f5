//! Change of shape.

use serde::{Deserialize, Serialize};

use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, SampleInput, read};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Same elements in another shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reshape {
    /// The new shape; same number of elements.
    pub shape: Vec<usize>,
}

impl Operator for Reshape {
    const SIGNATURE: Signature = Signature::new("Reshape", &[Input::moved("data")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let elements = self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if elements != Some(inputs[0].iter().product()) {
            return Err(format!("{:?} cannot be reshaped to {:?}", inputs[0], self.shape));
        }
        Ok(vec![self.shape.clone()])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        shapes.into_iter().map(|shape| inputs[0].reshaped(shape)).collect()
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("Reshape").integers("shape", &self.shape))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["allowzero"], 5)?;
        let from = &node.input(0)?.shape;
        let wanted = node.integers(1)?.ok_or("Reshape has no shape")?;
        let keeps = node.int("allowzero", 0)? == 0;
        let sizes = wanted.iter().enumerate().map(|(at, &size)| match size {
            // What is not known yet counts as 1.
            -1 => Some(1),
            0 if keeps => from.get(at).copied(),
            size => usize::try_from(size).ok(),
        });
        let refused = || format!("{from:?} cannot be reshaped to {wanted:?}");
        let mut shape = sizes.collect::<Option<Shape>>().ok_or_else(refused)?;
        let open: Vec<usize> = (0..wanted.len()).filter(|&at| wanted[at] == -1).collect();
        let known = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size)).ok_or_else(refused)?;
        match open.as_slice() {
            [] => {}
            &[at] if known > 0 => shape[at] = from.iter().product::<usize>() / known,
            _ => return Err(refused()),
        }
        Ok(Imported::new(Reshape { shape }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Reshape { shape: vec![1, 4, 16, 16] }, vec![read([1, 16, 64])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let from = chance.shape();
        let mut shape = from.clone();
        shape.reverse();
        if chance.yes() {
            shape.insert(chance.of(0..=shape.len()), 1);
        } else if let [first, second, rest @ ..] = shape.as_slice() {
            shape = [&[first * second], rest].concat();
        }
        Sample::new("", Reshape { shape }, vec![SampleInput::Read(from)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::onnx::{Attribute, OnnxInput};
    use super::*;
    use crate::ir::types::ElementType;

    #[test]
    fn open_and_kept_sizes_of_onnx_are_worked_out() {
        let import = |wanted: &[i64], attributes: Vec<(String, Attribute)>| {
            let constant = Constant::from_integers(ElementType::I64, wanted.to_vec(), vec![wanted.len()]);
            let input =
                |shape: &[usize], element, constant| Some(OnnxInput { shape: shape.to_vec(), element, constant });
            let inputs = vec![
                input(&[2, 3, 4], ElementType::F32, None),
                input(&[wanted.len()], ElementType::I64, Some(constant)),
            ];
            let node = OnnxNode { op_type: "Reshape".into(), opset: 23, attributes, inputs, outputs: 1 };
            Reshape::from_onnx(&node).map(|made| made.operator.shape)
        };
        assert_eq!(import(&[0, -1], vec![]).unwrap(), [2, 12]);
        assert_eq!(import(&[24], vec![]).unwrap(), [24]);
        for wanted in [&[-1, -1][..], &[-2, 12], &[0, 0, 0, 0], &[i64::MAX, i64::MAX]] {
            assert!(import(wanted, vec![]).is_err(), "{wanted:?}");
        }
        let literal = vec![("allowzero".to_string(), Attribute::Int(1))];
        assert_eq!(import(&[0, 12], literal).unwrap(), [0, 12]);
    }
}
