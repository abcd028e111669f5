//! A small network of which the values of one layer need 16 bits and all others do with 8, with samples: what tuning must
//! find where it chooses the bits of values.

use std::path::PathBuf;

use autoneural::ir::ops::Conv;
use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use tempfile::TempDir;

use super::{numbers, tower};

const SIZE: usize = 8;
const WIDTH: usize = 12;
const LAYERS: usize = 9;
/// The layer that is loud.
const LOUD: usize = 6;
/// What it makes behind its activation: one channel is always 60, which nothing reads, and the others are far below. A
/// step of 8 bits is as large as most of them.
pub const NEEDS_16: &str = "layers.6.relu";
/// A value far from it.
pub const DOES_WITH_8: &str = "layers.2.relu";

fn model() -> Graph {
    let mut b = Builder::new("tower");
    let mut x = b.input("x", vec![1, WIDTH, SIZE, SIZE], ElementType::F32).unwrap();
    for at in 0..LAYERS {
        let name = format!("layers.{at}");
        let mut weights: Vec<f32> = numbers(WIDTH * WIDTH, 3 * at + 1).iter().map(|weight| weight * 0.4).collect();
        let mut bias: Vec<f32> = numbers(WIDTH, 5 * at + 2).iter().map(|bias| bias * 0.2).collect();
        if at == LOUD {
            weights[..WIDTH].fill(0.0);
            bias[0] = 60.0;
        }
        if at == LOUD + 1 {
            weights.chunks_mut(WIDTH).for_each(|row| row[0] = 0.0);
        }
        let weights = Constant::from_values(weights, vec![WIDTH, WIDTH, 1, 1]);
        let weights = b.constant(format!("{name}.weight"), weights).unwrap();
        let bias = b.constant(format!("{name}.bias"), Constant::from_values(bias, vec![WIDTH])).unwrap();
        let op = Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        x = b.node(name, op, &[x, weights, bias]).unwrap();
        if at + 1 < LAYERS {
            x = b.node(format!("layers.{at}.relu"), ops::Relu, &[x]).unwrap();
        }
    }
    b.finish(vec![x])
}

/// The model with its samples and a recipe of 8-bit weights and these activations, with more lines.
pub fn written(activations: &str, lines: &str) -> (TempDir, PathBuf) {
    let folder = tower::written(model(), &[1, WIDTH, SIZE, SIZE], |at| numbers(WIDTH * SIZE * SIZE, 90 + at));
    let recipe = tower::recipe(folder.path(), ["int8", activations], lines);
    (folder, recipe)
}
