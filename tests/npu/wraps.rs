//! Depthwise convolutions with a stride, of which one channel has weights that are far smaller than the others'.

use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};

use crate::common::{numbers, tower};

const CHANNELS: usize = 32;
const SIZE: usize = 28;

/// The weights of channel 0 are so many times smaller than those of the others.
fn model(times: f32) -> Graph {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, CHANNELS, SIZE, SIZE], ElementType::F32).unwrap();
    let mut weights = numbers(CHANNELS * 9, 3);
    for (channel, weights) in weights.chunks_exact_mut(9).enumerate() {
        let size = if channel == 0 { 1.0 / times } else { 1.0 + channel as f32 / CHANNELS as f32 };
        weights.iter_mut().for_each(|weight| *weight *= size);
    }
    let w = b.constant("w", Constant::from_values(weights, vec![CHANNELS, 1, 3, 3])).unwrap();
    let conv = ops::Conv { strides: [2, 2], pads: [1; 4], groups: CHANNELS, dilations: [1, 1] };
    let y = b.node("y", conv, &[x, w]).unwrap();
    b.finish(vec![y])
}

#[test]
fn outputs_do_not_wrap_around() {
    // For some of these the least multiplier is between 2^-16 and 2^-15.
    for (times, weights) in
        [8.0, 12.0, 16.0, 24.0, 32.0].into_iter().flat_map(|times| [(times, "int8"), (times, "int16")])
    {
        let sample = |at| numbers(CHANNELS * SIZE * SIZE, 40 + at);
        let folder = tower::written(model(times), &[1, CHANNELS, SIZE, SIZE], sample);
        let lines = format!("depthwise = \"{weights}\"\n");
        let recipe = tower::recipe(folder.path(), [weights, "uint16"], &lines);
        let made = tower::compile(folder.path(), &recipe, &["--force"], &folder.path().join("out"));
        let [simulated, npu] = ["simulated", "npu"].map(|engine| tower::figure(&made, engine));
        assert!(npu > 40.0 && npu > simulated - 12.0, "{times}, {weights}: {simulated}, {npu}");
    }
}
