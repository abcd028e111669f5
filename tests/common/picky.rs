//! A small network of which one layer minds few bits far more than all others, with samples: what tuning must find.

use std::path::{Path, PathBuf};

use autoneural::ir::ops::Conv;
use autoneural::ir::{Builder, Constant, ElementType, Graph, ValueId, ops};
use tempfile::TempDir;

use super::{numbers, tower};

const SIZE: usize = 8;
/// Channels: too few for blocks.
const WIDTH: usize = 12;
/// Weights of the layer that minds.
pub const PICKY: &str = "layers.2.weight";
/// Layers.
pub const LAYERS: usize = 5;

/// A pointwise convolution with its bias. In one that is picky, one weight of each output channel is 60 times as large
/// as the others, on an input that is always zero: 4 bits leave nothing of the others.
fn layer(b: &mut Builder, x: ValueId, at: usize, is_picky: bool) -> ValueId {
    let name = format!("layers.{at}");
    let mut weights: Vec<f32> = numbers(WIDTH * WIDTH, 3 * at + 1).iter().map(|weight| weight * 0.4).collect();
    if is_picky {
        weights.chunks_mut(WIDTH).for_each(|row| row[0] = 24.0);
    }
    let weights = Constant::from_values(weights, vec![WIDTH, WIDTH, 1, 1]);
    let weights = b.constant(format!("{name}.weight"), weights).unwrap();
    let mut bias = numbers(WIDTH, 5 * at + 2).iter().map(|bias| bias * 0.2).collect::<Vec<f32>>();
    if at + 1 == 2 {
        // What the picky layer reads there is zero behind the activation.
        bias[0] = -50.0;
    }
    let bias = b.constant(format!("{name}.bias"), Constant::from_values(bias, vec![WIDTH])).unwrap();
    let op = Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
    b.node(name, op, &[x, weights, bias]).unwrap()
}

fn model() -> Graph {
    let mut b = Builder::new("tower");
    let mut x = b.input("x", vec![1, WIDTH, SIZE, SIZE], ElementType::F32).unwrap();
    for at in 0..LAYERS {
        x = layer(&mut b, x, at, at == 2);
        if at + 1 < LAYERS {
            x = b.node(format!("layers.{at}.relu"), ops::Relu, &[x]).unwrap();
        }
    }
    b.finish(vec![x])
}

/// The model with its samples and a recipe of 8-bit weights, with more lines.
pub fn written(lines: &str) -> (TempDir, PathBuf) {
    let folder = tower::written(model(), &[1, WIDTH, SIZE, SIZE], |at| numbers(WIDTH * SIZE * SIZE, 90 + at));
    let recipe = tower::recipe(folder.path(), ["int8", "uint16"], lines);
    (folder, recipe)
}

/// The arguments of `tune` on it, with results in `out`.
pub fn arguments(folder: &Path, recipe: &Path, more: &[&str]) -> Vec<String> {
    let text = |path: PathBuf| path.to_str().unwrap().to_string();
    let (model, out) = (text(folder.join("tower.onnx")), text(folder.join("out")));
    let recipe = text(recipe.to_path_buf());
    let own = ["tune", &model, "--calibration", &recipe, "--target", "sa8295p", "--out", &out, "-q"];
    own.iter().chain(more).map(ToString::to_string).collect()
}
