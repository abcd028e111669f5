//! Depthwise convolutions with a stride, of which one channel has weights that are far smaller than the others'.

use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};

use crate::common::{numbers, tower};

const CHANNELS: usize = 32;
const SIZE: usize = 28;

/// The weights of channel 0 are so small that its zero point, in integers of its sums, has 31 bits.
fn model() -> Graph {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, CHANNELS, SIZE, SIZE], ElementType::F32).unwrap();
    let mut weights = numbers(CHANNELS * 9, 3);
    for (channel, weights) in weights.chunks_exact_mut(9).enumerate() {
        let size = if channel == 0 { 1.0 / 128.0 } else { 1.0 + channel as f32 / CHANNELS as f32 };
        weights.iter_mut().for_each(|weight| *weight *= size);
    }
    let w = b.constant("w", Constant::from_values(weights, vec![CHANNELS, 1, 3, 3])).unwrap();
    let conv = ops::Conv { strides: [2, 2], pads: [1; 4], groups: CHANNELS, dilations: [1, 1] };
    let y = b.node("y", conv, &[x, w]).unwrap();
    b.finish(vec![y])
}

#[test]
fn outputs_do_not_wrap_around() {
    let folder = tower::written(model(), &[1, CHANNELS, SIZE, SIZE], |at| numbers(CHANNELS * SIZE * SIZE, 40 + at));
    for weights in ["int8", "int16"] {
        let lines = format!("depthwise = \"{weights}\"\n");
        let recipe = tower::recipe(folder.path(), [weights, "uint16"], &lines);
        let made = tower::compile(folder.path(), &recipe, &["--force"], &folder.path().join("out"));
        let [simulated, npu] = ["simulated", "npu"].map(|engine| tower::figure(&made, engine));
        assert!((simulated - npu).abs() < 12.0 && npu > 40.0, "{weights}: {simulated}, {npu}");
    }
}
