//! Attention.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::shapes::{elements, rank4};
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Scaled dot product attention with grouped keys and values. Inputs: `q [1,H,S,D]`, keys stored transposed `k
/// [1,G,D,T]`, `v [1,G,T,E]`, optional additive `mask [1,1,S,T]`; `G` divides `H`. Output `[1,H,S,E]`.
///
/// `Attention` of ONNX takes keys that are not transposed; this one is spelled out before it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    /// Factor on the scores, normally `1/sqrt(D)`.
    pub scale: f32,
}

impl Operator for Attention {
    const SIGNATURE: Signature =
        Signature::new("Attention", &[Input::data("q"), Input::data("k"), Input::data("v"), Input::data("mask")])
            .optional(1)
            .in_onnx(None)
            .composite();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let (q, k, v) = (rank4(inputs[0])?, rank4(inputs[1])?, rank4(inputs[2])?);
        let fits =
            q[0] == 1 && k[0] == 1 && v[0] == 1 && q[1] % k[1] == 0 && k[1] == v[1] && q[3] == k[2] && k[3] == v[2];
        if !fits {
            return Err(format!("attention of q {q:?}, k {k:?} (transposed) and v {v:?} does not fit"));
        }
        if let Some(mask) = inputs.get(3)
            && **mask != [1, 1, q[2], k[3]]
        {
            return Err(format!("the mask has shape {mask:?}, {:?} is wanted", [1, 1, q[2], k[3]]));
        }
        Ok(vec![vec![1, q[1], q[2], v[3]]])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn multiply_adds(&self, inputs: &[&Shape], made: &Shape) -> u64 {
        let (rows, keys) = (&inputs[0][..3], inputs[1][3] as u64);
        elements(rows) * inputs[0][3] as u64 * keys + elements(made) * keys
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let [q, k, v] = [0, 1, 2].map(|at| inputs[at].to_f32());
        let mask = inputs.get(3).map(Constant::to_f32);
        let &[_, heads, rows, width] = inputs[0].shape().as_slice() else { return vec![] };
        let (groups, keys, depth) = (inputs[1].shape()[1], inputs[1].shape()[3], inputs[2].shape()[3]);
        let mut made = Vec::new();
        for head in 0..heads {
            let group = head / (heads / groups);
            for row in 0..rows {
                let score = |key: usize| {
                    let product = |at: usize| {
                        f64::from(q[(head * rows + row) * width + at]) * f64::from(k[(group * width + at) * keys + key])
                    };
                    let masked = mask.as_ref().map_or(0.0, |mask| f64::from(mask[row * keys + key]));
                    (0..width).map(product).sum::<f64>() * f64::from(self.scale) + masked
                };
                let scores: Vec<f64> = (0..keys).map(score).collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for at in 0..depth {
                    let mixed = (0..keys).map(|key| weights[key] * f64::from(v[(group * keys + key) * depth + at]));
                    made.push((mixed.sum::<f64>() / sum) as f32);
                }
            }
        }
        one(made, shapes)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        None
    }

    fn from_onnx(_: &OnnxNode) -> Result<Imported<Self>, String> {
        Err("Attention is read in its spelled-out form only".into())
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let inputs = vec![read([1, 4, 16, 32]), read([1, 2, 32, 16]), read([1, 2, 16, 32])];
        vec![Sample::new("", Attention { scale: 0.25 }, inputs)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let groups = chance.of(1..=2);
        let heads = groups * chance.of(1..=2);
        let [rows, width, keys, depth] = [(); 4].map(|()| chance.of(1..=4));
        let mut inputs =
            vec![read([1, heads, rows, width]), read([1, groups, width, keys]), read([1, groups, keys, depth])];
        inputs.extend(chance.yes().then(|| read([1, 1, rows, keys])));
        Sample::new("", Attention { scale: chance.one(&[1.0, 0.5]) }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_divide_the_heads() {
        let attention = Attention { scale: 1.0 };
        let shapes = |heads| attention.shapes(&[&vec![1, heads, 6, 8], &vec![1, 2, 8, 10], &vec![1, 2, 10, 16]]);
        assert_eq!(shapes(4).unwrap(), [[1, 4, 6, 16]]);
        assert!(shapes(3).is_err());
    }
}
