//! Matrix products.

use serde::{Deserialize, Serialize};

use super::arithmetic::{one, source};
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Axes, Operator, Work};
use super::rows::Rows;
use super::sample::{Chance, Constants, Sample, SampleInput, constant, read};
use super::shapes::{broadcast, elements};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Matrix product over the last two axes with broadcasting of the leading ones. A constant second input holds the
/// weights of a linear layer, `[input channels, output channels]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatMul;

impl Operator for MatMul {
    const SIGNATURE: Signature = Signature::new("MatMul", &[Input::data("a"), Input::weight_or_data("b")]);

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let (a, b) = (inputs[0], inputs[1]);
        if a.len() < 2 || b.len() < 2 || a[a.len() - 1] != b[b.len() - 2] {
            return Err(format!("{a:?} cannot be multiplied by {b:?}"));
        }
        let mut shape = broadcast(&a[..a.len() - 2], &b[..b.len() - 2])?;
        shape.extend([a[a.len() - 2], b[b.len() - 1]]);
        Ok(vec![shape])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn multiply_adds(&self, inputs: &[&Shape], made: &Shape) -> u64 {
        elements(made) * inputs[0].last().map_or(1, |&size| size as u64)
    }

    fn weight_axes(&self, rank: usize) -> Option<Axes> {
        Some(Axes { output: Some(rank.saturating_sub(1)), input: rank.saturating_sub(2) })
    }

    /// Of weights for each head or sample, `[.., K, N]`, each are multiplied with rows of their own, so that no rows are
    /// those of all of them.
    fn rows(&self, weights: &[usize]) -> Option<Rows> {
        let outer = &weights[..weights.len().saturating_sub(2)];
        outer.iter().all(|&size| size == 1).then_some(Rows::LastAxis)
    }

    fn scaled_axis(&self, rank: usize) -> Option<usize> {
        rank.checked_sub(1)
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (a, b) = (inputs[0].to_f32(), inputs[1].to_f32());
        let (left, right, shape) = (inputs[0].shape(), inputs[1].shape(), &shapes[0]);
        let split = |shape: &Shape| shape.len() - 2;
        let (inner, columns) = (left[left.len() - 1], right[right.len() - 1]);
        let rows = left[split(left)];
        let outer = &shape[..split(shape)];
        let mut made = Vec::with_capacity(shape.iter().product());
        for matrix in 0..outer.iter().product() {
            let a = &a[source(matrix, outer, &left[..split(left)]) * rows * inner..];
            let b = &b[source(matrix, outer, &right[..split(right)]) * inner * columns..];
            for row in 0..rows {
                for column in 0..columns {
                    let products =
                        (0..inner).map(|at| f64::from(a[row * inner + at]) * f64::from(b[at * columns + column]));
                    made.push(products.sum::<f64>() as f32);
                }
            }
        }
        one(made, shapes)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("MatMul"))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.plain(MatMul, 2, 1)
    }

    fn words(&self, weights: &[usize]) -> Option<String> {
        let &[from, to] = weights else { return None };
        Some(format!("{from}→{to}"))
    }

    fn samples(constants: Constants) -> Vec<Sample<Self>> {
        let inputs = match constants.weights {
            true => vec![read([1, 16, 128]), constant([128, 64], 0.05)],
            false => vec![read([1, 4, 16, 32]), read([1, 4, 32, 16])],
        };
        let mut made = vec![Sample::new("", MatMul, inputs)];
        if constants.weights {
            let inputs = vec![read([1, 16, 256]), constant([256, 64], 0.05)];
            made.push(Sample::new("256 to 64", MatMul, inputs).with_blocks());
        }
        made
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let outer: Shape = (0..chance.of(0..=2)).map(|_| chance.of(1..=3)).collect();
        let [rows, inner, columns] = [chance.of(1..=4), chance.of(1..=6), chance.of(1..=4)];
        let first = [outer.clone(), vec![rows, inner]].concat();
        let second = match chance.yes() {
            true => constant([inner, columns], 0.5),
            false => SampleInput::Read([outer, vec![inner, columns]].concat()),
        };
        Sample::new("", MatMul, vec![SampleInput::Read(first), second])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_axes_broadcast() {
        assert_eq!(MatMul.shapes(&[&vec![1, 2, 6, 8], &vec![8, 5]]).unwrap(), [[1, 2, 6, 5]]);
        assert!(MatMul.shapes(&[&vec![1, 2, 6, 8], &vec![6, 5]]).is_err());
    }

    #[test]
    fn weights_of_several_heads_have_no_rows_in_common() {
        assert_eq!(MatMul.rows(&[8, 5]), Some(Rows::LastAxis));
        assert_eq!(MatMul.rows(&[1, 8, 5]), Some(Rows::LastAxis));
        assert_eq!(MatMul.rows(&[2, 8, 5]), None);
    }
}
