//! A small network with a residual stream, of which one channel is far larger than the others.

use std::path::{Path, PathBuf};

use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use tempfile::TempDir;

use super::{numbers, tower};

const ROWS: usize = 16;
const WIDTH: usize = 32;
/// The large channel, and how many times as large it is.
const LARGE: (usize, f32) = (17, 100.0);
/// The weights that `hadamard` adds to rotate what comes in.
pub const ROTATION: &str = "x.rotation.weight";

/// Blocks that add to a stream, to one channel of it far more than to the others.
fn model() -> Graph {
    let mut b = Builder::new("tower");
    let mut x = b.input("x", vec![1, ROWS, WIDTH], ElementType::F32).unwrap();
    let gains = |b: &mut Builder, name: &str, seed| {
        let gains = numbers(WIDTH, seed).iter().map(|gain| 1.0 + gain / 2.0).collect();
        b.constant(format!("{name}.gains"), Constant::from_values(gains, vec![WIDTH])).unwrap()
    };
    let normalized = ops::RmsNorm { axis: 2, epsilon: 1e-6 };
    for block in 0..3 {
        let name = |what: &str| format!("{block}.{what}");
        let gains = gains(&mut b, &name("norm"), 60 + block);
        let norm = b.node(name("norm"), normalized.clone(), &[x, gains]).unwrap();
        let up = Constant::from_values(numbers(WIDTH * 64, 70 + block), vec![WIDTH, 64]);
        let mut down = numbers(64 * WIDTH, 80 + block);
        down.iter_mut().skip(LARGE.0).step_by(WIDTH).for_each(|weight| *weight *= LARGE.1);
        let up = b.constant(name("up.weight"), up).unwrap();
        let down = b.constant(name("down.weight"), Constant::from_values(down, vec![64, WIDTH])).unwrap();
        let hidden = b.node(name("up"), ops::MatMul, &[norm, up]).unwrap();
        let hidden = b.node(name("relu"), ops::Relu, &[hidden]).unwrap();
        let made = b.node(name("down"), ops::MatMul, &[hidden, down]).unwrap();
        x = b.node(name("sum"), ops::Add, &[x, made]).unwrap();
    }
    let gains = gains(&mut b, "last", 90);
    let norm = b.node("last", normalized, &[x, gains]).unwrap();
    let mut head = numbers(WIDTH * 24, 91);
    head[LARGE.0 * 24..][..24].iter_mut().for_each(|weight| *weight = 0.0);
    let head = b.constant("head.weight", Constant::from_values(head, vec![WIDTH, 24])).unwrap();
    let scores = b.node("scores", ops::MatMul, &[norm, head]).unwrap();
    b.finish(vec![scores])
}

/// The model with its samples in a folder.
pub fn written() -> TempDir {
    tower::written(model(), &[1, ROWS, WIDTH], |at| numbers(ROWS * WIDTH, 50 + at))
}

/// A recipe that rotates the stream.
pub fn rotated(folder: &Path, bits: [&str; 2], lines: &str) -> PathBuf {
    tower::recipe(folder, bits, &format!("equalize = {{ method = \"hadamard\" }}\n{lines}"))
}
