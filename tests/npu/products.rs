//! Products of two computed values of 16 bits, of which the NPU reads the second in 8 bits.

use autoneural::ir::{Builder, ElementType, ops};
use tempfile::TempDir;

use crate::common::product::model;
use crate::common::{autoneural, json, numbers, stderr, succeed, tower};

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
    let by_name = "[[override]]\ntensor = \"y\"\nproducts = \"split\"\n";
    for more in ["products = \"split\"\n", by_name] {
        let [simulated, npu, layer] = figures(more);
        assert!(simulated > 75.0 && npu > 65.0 && layer > 65.0, "{more}: {simulated}, {npu}, {layer}");
    }
    let [_, npu, _] = figures(&format!("products = \"split\"\n{}", by_name.replace("split", "whole")));
    assert!(npu < 55.0, "left whole: {npu}");
}

#[test]
fn tune_splits_a_product_where_the_goal_wants_it() {
    let folder = model("");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [graph, recipe, out] = ["product.onnx", "recipe.toml", "out"].map(path);
    for (goal, form, least) in [("30dB", "whole", 30.0), ("60dB", "split", 60.0)] {
        let of = ["tune", &graph, "--calibration", &recipe, "--target", "sa8295p", "--out", &out, "-q"];
        succeed(&[&of[..], &["--goal", goal]].concat());
        let tuned = json(&folder.path().join("out/tune.json"));
        let layer = &tuned["groups"][0]["layers"][0];
        let chosen = &layer["choices"][layer["chosen"].as_u64().unwrap() as usize];
        assert_eq!((&layer["name"], &chosen["bits"]), (&"y".into(), &form.into()), "{tuned}");
        assert!(tuned["reached"] == true && tuned["judged"]["npu"].as_f64().unwrap() >= least, "{tuned}");
        let written = std::fs::read_to_string(folder.path().join("out/recipe.toml")).unwrap();
        assert_eq!(written.contains("products = \"split\""), form == "split", "{written}");
    }
}

#[test]
fn a_product_of_8_and_16_bits_is_computed_in_16() {
    // As it stands the NPU takes it in floating point; `figures` refuses that.
    let [simulated, npu, _] = figures("[[override]]\ntensor = \"a\"\ntype = \"uint8\"\n");
    assert!(simulated > 40.0 && npu > 35.0, "{simulated}, {npu}");
}

#[test]
fn what_the_npu_computes_in_floating_point_is_named() {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, 4, 8, 8], ElementType::F32).unwrap();
    let made = b.node("made", ops::Selu { alpha: 1.673_263_2, gamma: 1.050_701 }, &[x]).unwrap();
    let folder = tower::written(b.finish(vec![made]), &[1, 4, 8, 8], |at| numbers(4 * 8 * 8, 90 + at));
    let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [model, recipe, out] = [path("tower.onnx"), recipe.display().to_string(), path("out")];
    let text = succeed(&["compile", &model, "--calibration", &recipe, "--target", "sa8295p", "--out", &out]);
    // What it becomes on the way to the NPU, all of it.
    let found = &json(&folder.path().join("out/report.json"))["partitions"][0]["in_fp16"];
    assert_eq!((found.as_array().map(Vec::len), &found[0]["operator"]), (Some(2), &"Elu".into()), "{found}");
    assert!(text.contains("1 Elu") && text.contains("in fp16 and not in integers"), "{text}");
}

#[test]
fn other_words_for_products_are_refused() {
    let folder = model("products = \"halved\"\n");
    let made = autoneural(&arguments(&folder).iter().map(String::as_str).collect::<Vec<_>>());
    let text = stderr(&made);
    assert!(!made.status.success() && text.contains("`halved`") && text.contains("`split`"), "{text}");
}
