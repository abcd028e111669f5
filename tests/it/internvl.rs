//! The other family: InternViT, a projector behind a normalization, InternLM2.

use autoneural::bundle::Bundle;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{autoneural, stderr, stdout, succeed, toolkit};

const GRAPH: &str = "tests/fixtures/internvl-random/definition.toml";
const WEIGHTS: &str = "tests/fixtures/internvl-random";
const REFERENCE: &str = "tests/fixtures/golden/internvl.safetensors";
const RECIPE: &str = "calibration/photos.toml";

fn export(folder: &TempDir) -> String {
    let out = folder.path().join("out").display().to_string();
    succeed(&["export", GRAPH, "--weights", WEIGHTS, "--target", "sa8295p", "--out", &out, "-q"]);
    out
}

#[test]
fn float_models_equal_transformers() {
    let folder = TempDir::new().expect("a folder");
    let out = export(&folder);
    let found: Value =
        serde_json::from_str(&succeed(&["parity", &out, "--reference", REFERENCE, "--json"])).expect("JSON");
    let found = found.as_array().expect("outputs");
    // Vision, projector, a prompt of two chunks, eight decoded tokens.
    assert_eq!(found.len(), 11);
    for one in found {
        assert!(one["sqnr_db"].as_f64().expect("a figure") >= 100.0, "{one}");
    }
}

#[test]
fn parity_that_is_not_reached_is_told_by_output() {
    let folder = TempDir::new().expect("a folder");
    let out = export(&folder);
    let low = autoneural(&["parity", &out, "--reference", REFERENCE, "--min-sqnr", "190"]);
    assert_eq!(low.status.code(), Some(6));
    assert!(stdout(&low).contains("vision.output"), "the figures are printed all the same");
    assert!(stderr(&low).contains("vision.output reaches"), "{}", stderr(&low));
    let other = autoneural(&["parity", &out, "--reference", "tests/fixtures/golden/golden.safetensors"]);
    assert_eq!(other.status.code(), Some(3));
    assert!(stderr(&other).contains("vision.input"), "{}", stderr(&other));
    let nothing = autoneural(&["parity", &out, "--reference", WEIGHTS]);
    assert_eq!(nothing.status.code(), Some(3));
    assert!(stderr(&nothing).contains("records no output"), "{}", stderr(&nothing));
}

#[test]
fn every_node_is_on_the_npu_which_agrees_with_the_simulation() {
    let folder = TempDir::new().expect("a folder");
    let out = folder.path().join("out").display().to_string();
    let toolkit = toolkit().display().to_string();
    let args = ["compile", GRAPH, "--weights", WEIGHTS, "--calibration", RECIPE, "--target", "sa8295p", "--out", &out];
    succeed(&[&args[..], &["--require-npu", "--toolkit", &toolkit, "-q"]].concat());
    let bundle = Bundle::look(std::path::Path::new(&out)).expect("the bundle");
    let report: Value =
        serde_json::from_slice(&std::fs::read(bundle.path("report.json")).expect("the report")).expect("JSON");
    let partitions = report["partitions"].as_array().expect("partitions");
    assert_eq!(partitions.len(), 4);
    for partition in partitions {
        assert_eq!(partition["nodes"], partition["npu_nodes"], "{}", partition["name"]);
        let main = &partition["outputs"][0]["sqnr_db"];
        let (simulated, npu) = (main["simulated"].as_f64().expect("dB"), main["npu"].as_f64().expect("dB"));
        assert!((simulated - npu).abs() < 3.0 && npu > 15.0, "{}: {simulated} {npu}", partition["name"]);
    }
}
