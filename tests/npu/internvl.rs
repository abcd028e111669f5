//! The other family on the NPU.

use autoneural::bundle::Bundle;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{RECIPE, succeed, toolkit};

const GRAPH: &str = "tests/fixtures/internvl-random/definition.toml";
const WEIGHTS: &str = "tests/fixtures/internvl-random";

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
