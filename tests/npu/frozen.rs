//! Frozen graphs against those that were built from the checkpoint.

use std::fs;
use std::path::Path;

use autoneural::bundle::Bundle;
use autoneural::report::{Report, table};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{demo_bundle, succeed};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Rounding of single precision, and nothing else.
const ROUNDING_DB: f64 = 80.0;

#[test]
fn every_graph_computes_what_the_checkpoint_does() {
    let report = json(&demo_bundle().join("report.json"));
    for partition in report["partitions"].as_array().unwrap() {
        let (name, found) = (partition["name"].as_str().unwrap(), &partition["frozen"]);
        let outputs: Vec<&Value> =
            partition["outputs"].as_array().unwrap().iter().map(|output| &output["name"]).collect();
        assert!(outputs.contains(&&found["output"]), "{name}: {found}");
        let figure = |key: &str| found[key].as_f64().unwrap_or_else(|| panic!("{name}: {found}"));
        assert!(figure("sqnr_db") >= ROUNDING_DB, "{name}: {found}");
        assert!(figure("largest_difference") < 1e-3 * figure("largest_value"), "{name}: {found}");
    }
    // Scales were folded into weights, so that not all is the same to the last bit.
    let differs = |partition: &Value| partition["frozen"]["largest_difference"].as_f64() > Some(0.0);
    assert!(report["partitions"].as_array().unwrap().iter().any(differs));
    let table = table(&Report::read(&Bundle::look(demo_bundle()).unwrap()).unwrap());
    assert!(table.contains("graphs against the checkpoint, both in float, first step: vision "), "{table}");
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let (html, markdown) = (place("page.html"), place("page.md"));
    succeed(&["report", demo_bundle().to_str().unwrap(), "--out", &html, "--markdown", &markdown]);
    for page in [html, markdown] {
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.contains("graph against checkpoint") && text.contains(" dB, both in float"), "{page}");
    }
}

#[test]
fn weights_that_no_pass_changed_are_written_once() {
    let folder = demo_bundle().join("model");
    let bytes = |name: &str| fs::metadata(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).len();
    for group in ["vision", "projector", "language"] {
        let (own, all) = (bytes(&format!(".as-built.{group}.data")), bytes(&format!("{group}.data")));
        assert!(own * 4 < all, "{group}: {own} of {all} bytes");
    }
    // They are no part of what is handed on.
    let manifest = fs::read_to_string(demo_bundle().join("manifest.json")).unwrap();
    assert!(!manifest.contains(".as-built.") && !manifest.contains(".first."), "hidden files in the manifest");
}
