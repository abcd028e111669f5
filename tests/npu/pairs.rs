//! Weights of 16 bits on a chip that multiplies with 8 bits: each is written as two.

use autoneural::back::onnx::{DataWriter, emit_float};
use autoneural::drivers::tensors::partition;
use autoneural::ir::{Builder, Constant, ElementType, ops};
use autoneural::passes::as_built;
use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use crate::common::{autoneural, json, numbers, stderr, succeed};

const CHANNELS: usize = 24;
const SIZE: usize = 12;

/// A folder with a model that has a convolution with a bias, one without, and a matrix product; with samples and a recipe
/// that has these lines more.
fn model(more: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut b = Builder::new("net");
    let x = b.input("x", vec![1, CHANNELS, SIZE, SIZE], ElementType::F32).unwrap();
    let mut constant = |name: &str, shape: Vec<usize>, seed: usize| {
        let count = shape.iter().product();
        b.constant(name, Constant::from_values(numbers(count, seed), shape)).unwrap()
    };
    let first = constant("first.w", vec![CHANNELS, CHANNELS, 3, 3], 1);
    let bias = constant("first.b", vec![CHANNELS], 2);
    let second = constant("second.w", vec![CHANNELS, CHANNELS, 1, 1], 3);
    let third = constant("third.w", vec![SIZE, SIZE], 4);
    let conv = |pad| ops::Conv { strides: [1, 1], pads: [pad; 4], groups: 1, dilations: [1, 1] };
    let y = b.node("first", conv(1), &[x, first, bias]).unwrap();
    let y = b.node("relu", ops::Relu, &[y]).unwrap();
    let y = b.node("second", conv(0), &[y, second]).unwrap();
    let y = b.node("third", ops::MatMul, &[y, third]).unwrap();
    let partition = partition("net", as_built(&b.finish(vec![y])).unwrap()).unwrap();
    let mut data = DataWriter::create(folder.path(), &partition.group).unwrap();
    emit_float(&partition, &folder.path().join("net.onnx"), &mut data).unwrap();
    data.finish().unwrap();
    let recipe = format!(
        "schema = 2\nname = \"net\"\n[recipe.net]\nweights = \"int8\"\nactivations = \"uint16\"\n\
         observer = \"min-max\"\nheadroom = 0.25\n{more}"
    );
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    for at in 0..4 {
        let numbers = numbers(CHANNELS * SIZE * SIZE, 70 + at);
        let bytes: Vec<u8> = numbers.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::create_dir_all(folder.path().join("samples")).unwrap();
        std::fs::write(folder.path().join(format!("samples/{at}.raw")), &bytes).unwrap();
        let view = TensorView::new(Dtype::F32, vec![1, CHANNELS, SIZE, SIZE], &bytes).unwrap();
        let sample = serialize([("x", view)], None).unwrap();
        std::fs::write(folder.path().join("sample.safetensors"), sample).unwrap();
    }
    folder
}

fn compile(folder: &TempDir) -> std::process::Output {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [model, recipe, samples, out] = ["net.onnx", "recipe.toml", "samples", "out"].map(path);
    let of = ["compile", &model, "--recipe", &recipe, "--calibration", &samples, "--target", "sa8295p"];
    autoneural(&[&of[..], &["--layers", "npu", "--out", &out, "-q"]].concat())
}

/// SQNR in dB of the simulation and of the NPU.
fn figures(more: &str) -> [f64; 2] {
    let folder = model(more);
    let made = compile(&folder);
    assert!(made.status.success(), "{}", stderr(&made));
    let report = json(&folder.path().join("out/report.json"));
    let partition = &report["partitions"][0];
    // Four nodes of the graph, whatever they are written as, and nothing in floating point.
    assert_eq!((&partition["npu_nodes"], &partition["in_fp16"]), (&4.into(), &serde_json::json!([])), "{partition}");
    for layer in partition["layers"].as_array().unwrap() {
        assert!(layer["sqnr_db"]["npu"].is_number(), "{layer}");
    }
    let output = &partition["outputs"][0]["sqnr_db"];
    [&output["simulated"], &output["npu"]].map(|figure| figure.as_f64().unwrap())
}

#[test]
fn weights_of_16_bits_are_two_products_with_8() {
    let [simulated, npu] = figures("");
    assert!(simulated < 50.0 && npu < 50.0, "int8: {simulated}, {npu}");
    let [simulated, npu] = figures("[[override]]\ntensor = \"*\"\ntype = \"int16\"\n");
    assert!(simulated > 70.0 && npu > 62.0, "int16: {simulated}, {npu}");
}

#[test]
fn activations_of_8_bits_take_no_weights_of_16() {
    let folder =
        model("[[override]]\ntensor = \"*\"\ntype = \"int16\"\n[[override]]\ntensor = \"*\"\ntype = \"uint8\"\n");
    let made = compile(&folder);
    let text = stderr(&made);
    assert!(!made.status.success() && text.contains("does not take Conv in uint8, weights int16"), "{text}");
}

#[test]
fn a_model_with_pairs_is_asked_and_cut_as_any_other() {
    let folder = model("[[override]]\ntensor = \"second.w\"\ntype = \"int16\"\n");
    assert!(compile(&folder).status.success());
    let [out, sample] = ["out", "sample.safetensors"].map(|name| folder.path().join(name).display().to_string());
    let text = succeed(&["diff", &out, "--input", &sample, "--on", "simulated"]);
    assert!(text.contains("second"), "{text}");
}
