//! Convolutions of which only an activation reads what they make, and of that only a small part: the two share one
//! encoding, as the NPU's compiler joins them.

use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{json, numbers, succeed, tower};

const CHANNELS: usize = 24;
const SIZE: usize = 12;

/// Three convolutions: before a Clip from 0 to 2, before a Relu, and one that makes the output. Biases send most of
/// what the first two make below zero.
fn model() -> Graph {
    let mut b = Builder::new("tower");
    let mut y = b.input("x", vec![1, CHANNELS, SIZE, SIZE], ElementType::F32).unwrap();
    for (at, name) in ["first", "second", "third"].into_iter().enumerate() {
        let weights = Constant::from_values(numbers(CHANNELS * CHANNELS, at), vec![CHANNELS, CHANNELS, 1, 1]);
        let bias = if at < 2 { vec![-1.0; CHANNELS] } else { vec![0.0; CHANNELS] };
        let w = b.constant(format!("{name}.w"), weights).unwrap();
        let bias = b.constant(format!("{name}.b"), Constant::from_values(bias, vec![CHANNELS])).unwrap();
        let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        y = b.node(name, conv, &[y, w, bias]).unwrap();
        y = match at {
            0 => b.node("clip", ops::Clip { min: Some(0.0), max: Some(2.0) }, &[y]).unwrap(),
            1 => b.node("relu", ops::Relu, &[y]).unwrap(),
            _ => y,
        };
    }
    b.finish(vec![y])
}

/// The model's folder, compiled with activations of these integers, and the report.
fn compiled(activations: &str, lines: &str) -> (TempDir, Value) {
    let folder = tower::written(model(), &[1, CHANNELS, SIZE, SIZE], |at| numbers(CHANNELS * SIZE * SIZE, 20 + at));
    let recipe = tower::recipe(folder.path(), ["int8", activations], lines);
    let report = tower::compile(folder.path(), &recipe, &["--layers", "npu"], &folder.path().join("out"));
    (folder, report)
}

fn encoding(folder: &TempDir, name: &str) -> Value {
    let all = json(&folder.path().join("out/encodings/tower.json"));
    let list = all["activation_encodings"].as_array().unwrap();
    list.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {all}")).clone()
}

#[test]
fn a_convolution_is_encoded_as_what_its_activation_leaves() {
    let (folder, report) = compiled("uint8", "");
    for (before, behind) in [("first", "clip"), ("second", "relu")] {
        let [before, behind] = [before, behind].map(|name| encoding(&folder, name));
        assert_eq!((&before["scale"], &before["offset"]), (&behind["scale"], &behind["offset"]));
    }
    let [simulated, npu] = ["simulated", "npu"].map(|engine| tower::figure(&report, engine));
    assert!(simulated > 30.0 && (simulated - npu).abs() < 2.0, "{simulated}, {npu}");
    // What both cut off is no noise of the convolutions.
    for layer in report["partitions"][0]["layers"].as_array().unwrap() {
        let figures = ["simulated", "npu"].map(|engine| layer["sqnr_db"][engine].as_f64().unwrap());
        assert!(figures.iter().all(|db| *db > 30.0), "{layer}");
        assert_eq!(layer["saturation_percent"], 0.0, "{layer}");
    }
    let [out, sample] = ["out", "7.safetensors"].map(|name| folder.path().join(name).display().to_string());
    let diff = succeed(&["diff", &out, "--input", &sample, "--on", "npu", "--json"]);
    let diff = &serde_json::from_str::<Value>(&diff).unwrap()["comparisons"][0];
    assert_eq!(diff["faults"], serde_json::json!([]), "{diff}");
    for layer in diff["layers"].as_array().unwrap() {
        assert!(layer["alone_db"]["npu"].as_f64().unwrap() > 30.0, "{layer}");
    }
}

#[test]
fn weights_in_pairs_keep_a_range_of_their_own() {
    // The smaller half of a pair is added to what the larger one was cut to.
    let (folder, report) = compiled("uint16", "[[override]]\ntensor = \"first.w\"\ntype = \"int16\"\n");
    let [before, behind] = ["first", "clip"].map(|name| encoding(&folder, name));
    assert_ne!(before["scale"], behind["scale"]);
    let [before, behind] = ["second", "relu"].map(|name| encoding(&folder, name));
    assert_eq!(before["scale"], behind["scale"]);
    assert!(tower::figure(&report, "npu") > 38.0, "{report}");
}
