//! Products of two computed values of 16 bits, of which the NPU reads the second in 8 bits.

use autoneural::back::onnx::{DataWriter, emit_float};
use autoneural::drivers::tensors::partition;
use autoneural::ir::{Builder, ElementType, ops};
use autoneural::passes::as_built;
use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use crate::common::{autoneural, json, numbers, stderr, succeed};

const ROWS: usize = 48;
const INNER: usize = 32;

/// A folder with a model that multiplies two inputs, samples and a recipe with these lines more.
fn model(more: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let shapes = [("a", vec![1, 4, ROWS, INNER]), ("b", vec![1, 4, INNER, ROWS])];
    let mut b = Builder::new("product");
    let [left, right] = shapes.clone().map(|(name, shape)| b.input(name, shape, ElementType::F32).unwrap());
    let y = b.node("y", ops::MatMul, &[left, right]).unwrap();
    let partition = partition("product", as_built(&b.finish(vec![y])).unwrap()).unwrap();
    let mut data = DataWriter::create(folder.path(), &partition.group).unwrap();
    emit_float(&partition, &folder.path().join("product.onnx"), &mut data).unwrap();
    data.finish().unwrap();
    let mut recipe = format!(
        "schema = 2\nname = \"product\"\n[recipe.product]\nweights = \"int8\"\nactivations = \"uint16\"\n\
         observer = \"min-max\"\n{more}"
    );
    for at in 0..4 {
        let bytes = [0, 1].map(|side| -> Vec<u8> {
            let numbers = numbers(4 * ROWS * INNER, 70 + 2 * at + side);
            numbers.iter().flat_map(|value| value.to_le_bytes()).collect()
        });
        let views = shapes.iter().zip(&bytes).map(|((name, shape), bytes)| {
            (name.to_string(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        let name = format!("{at}.safetensors");
        std::fs::write(folder.path().join(&name), serialize(views, None).unwrap()).unwrap();
        // The last is among the others, so that no range is left.
        let lists: &[&str] = if at < 3 { &["calibration"] } else { &["calibration", "verification"] };
        lists.iter().for_each(|list| recipe.push_str(&format!("[[{list}]]\ntensors = \"{name}\"\n")));
    }
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    folder
}

fn arguments(folder: &TempDir) -> Vec<String> {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [model, recipe, out] = ["product.onnx", "recipe.toml", "out"].map(path);
    ["compile", &model, "--calibration", &recipe, "--target", "sa8295p", "--layers", "npu", "--out", &out, "-q"]
        .map(String::from)
        .to_vec()
}

/// SQNR in dB of the simulation, of the NPU, and of the layer on the NPU.
fn figures(more: &str) -> [f64; 3] {
    let folder = model(more);
    succeed(&arguments(&folder).iter().map(String::as_str).collect::<Vec<_>>());
    let report = json(&folder.path().join("out/report.json"));
    let partition = &report["partitions"][0];
    // One node of the graph, whatever it is written as, and nothing in floating point.
    assert_eq!((&partition["npu_nodes"], &partition["in_fp16"]), (&1.into(), &serde_json::json!([])), "{partition}");
    let (output, layer) = (&partition["outputs"][0]["sqnr_db"], &partition["layers"][0]["sqnr_db"]);
    [&output["simulated"], &output["npu"], &layer["npu"]].map(|figure| figure.as_f64().unwrap())
}

#[test]
fn two_products_of_8_bits_are_one_of_16() {
    let [simulated, npu, _] = figures("");
    assert!(simulated > 75.0 && npu < 55.0, "whole: {simulated}, {npu}");
    let [simulated, npu, layer] = figures("products = \"split\"\n");
    assert!(simulated > 75.0 && npu > 65.0 && layer > 65.0, "split: {simulated}, {npu}, {layer}");
}

#[test]
fn what_the_npu_computes_in_floating_point_is_named() {
    let folder = model("[[override]]\ntensor = \"a\"\ntype = \"uint8\"\n");
    let arguments = arguments(&folder);
    let text = succeed(&arguments.iter().map(String::as_str).filter(|one| *one != "-q").collect::<Vec<_>>());
    let found = &json(&folder.path().join("out/report.json"))["partitions"][0]["in_fp16"];
    assert_eq!((found.as_array().map(Vec::len), &found[0]["operator"]), (Some(1), &"MatMul".into()), "{found}");
    assert!(text.contains("product: the NPU computes 1 MatMul in fp16 and not in integers"), "{text}");
}

#[test]
fn other_words_for_products_are_refused() {
    let folder = model("products = \"halved\"\n");
    let made = autoneural(&arguments(&folder).iter().map(String::as_str).collect::<Vec<_>>());
    let text = stderr(&made);
    assert!(!made.status.success() && text.contains("`halved`") && text.contains("`split`"), "{text}");
}
