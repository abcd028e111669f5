//! Sums that the NPU cuts off: convolutions whose outputs are small beside what they read, where that costs most.

use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{numbers, succeed, tower};

const CHANNELS: usize = 16;
const SIZE: usize = 24;

/// A convolution that takes the mean of its neighbours from each pixel, with weights and biases that 8 bits hold exactly.
fn model() -> Graph {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, CHANNELS, SIZE, SIZE], ElementType::F32).unwrap();
    let kernel = [-16.0, -16.0, -16.0, -16.0, 127.0, -16.0, -16.0, -16.0, -15.0].map(|one| one / 127.0);
    let weights = Constant::from_values(kernel.repeat(CHANNELS), vec![CHANNELS, 1, 3, 3]);
    let w = b.constant("w", weights).unwrap();
    let biases: Vec<f32> = (0..CHANNELS).map(|channel| channel as f32 * 1e-4).collect();
    let bias = b.constant("b", Constant::from_values(biases, vec![CHANNELS])).unwrap();
    let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: CHANNELS, dilations: [1, 1] };
    let y = b.node("y", conv, &[x, w, bias]).unwrap();
    b.finish(vec![y])
}

/// A ramp with a little noise.
fn sample(at: usize) -> Vec<f32> {
    let noise = numbers(CHANNELS * SIZE * SIZE, 40 + at);
    let ramp = |index: usize| (index % SIZE + index / SIZE % SIZE) as f32 / SIZE as f32 - 1.0;
    noise.iter().enumerate().map(|(index, noise)| ramp(index) + 0.03 * noise).collect()
}

#[test]
fn what_is_cut_off_is_made_up_for() {
    let folder: TempDir = tower::written(model(), &[1, CHANNELS, SIZE, SIZE], sample);
    let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "");
    let out = folder.path().join("out");
    let report = tower::compile(folder.path(), &recipe, &["--layers", "none"], &out);
    let [simulated, npu] = ["simulated", "npu"].map(|engine| tower::figure(&report, engine));
    assert!(npu > 52.0 && (simulated - npu).abs() < 2.5, "{simulated} {npu}");
    // Whoever simulates sees what the NPU is meant to keep.
    let [out, sample] = [out, folder.path().join("7.safetensors")].map(|path| path.display().to_string());
    for (engine, whole) in [("simulated", simulated), ("npu", npu)] {
        let diff = succeed(&["diff", &out, "--input", &sample, "--on", engine, "--json"]);
        let diff = &serde_json::from_str::<Value>(&diff).unwrap()["comparisons"][0];
        let alone = diff["layers"][1]["so_far_db"][engine].as_f64().unwrap();
        assert!((alone - whole).abs() < 2.5, "{engine}: {diff}");
    }
}
