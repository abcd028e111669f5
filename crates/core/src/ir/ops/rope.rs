//! Rotary position embedding.

use serde::{Deserialize, Serialize};

use super::arithmetic::{one, source};
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::shapes::rank4;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Rotary position embedding in the half-split form (Su et al., arXiv 2104.09864, as Llama-family checkpoints store
/// it): `x * cos + concat(-x[D/2..], x[..D/2]) * sin`. Inputs: `x [1,H,S,D]`, `cos` and `sin [1,1,S,D]`.
///
/// `RotaryEmbedding` of ONNX takes tables of half this width; this one is spelled out before it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rope;

impl Operator for Rope {
    const SIGNATURE: Signature =
        Signature::new("RotaryEmbedding", &[Input::data("x"), Input::data("cos"), Input::data("sin")])
            .in_onnx(None)
            .composite();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let x = rank4(inputs[0])?;
        let table = [1, 1, x[2], x[3]];
        if x[3] % 2 != 0 || inputs[1..].iter().any(|shape| **shape != table) {
            return Err(format!("rotary embedding of {x:?} needs an even head size and tables of {table:?}"));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let [x, cos, sin] = [0, 1, 2].map(|at| inputs[at].to_f32());
        let (shape, table) = (inputs[0].shape(), inputs[1].shape());
        let (width, half) = (shape[3], shape[3] / 2);
        let turned = |at: usize| {
            let across = if at % width < half { -x[at + half] } else { x[at - half] };
            let place = source(at, shape, table);
            (f64::from(x[at]) * f64::from(cos[place]) + f64::from(across) * f64::from(sin[place])) as f32
        };
        one((0..x.len()).map(turned).collect(), shapes)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        None
    }

    fn from_onnx(_: &OnnxNode) -> Result<Imported<Self>, String> {
        Err("RotaryEmbedding is read in its spelled-out form only".into())
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", Rope, vec![read([1, 4, 16, 32]), read([1, 1, 16, 32]), read([1, 1, 16, 32])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let [heads, rows, half] = [(); 3].map(|()| chance.of(1..=3));
        let table = [1, 1, rows, 2 * half];
        Sample::new("", Rope, vec![read([1, heads, rows, 2 * half]), read(table), read(table)])
    }
}
