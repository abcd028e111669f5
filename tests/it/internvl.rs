//! The other family: InternViT, a projector behind a normalization, InternLM2.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{autoneural, stderr, stdout, succeed};

const GRAPH: &str = "tests/fixtures/internvl-random/definition.toml";
const WEIGHTS: &str = "tests/fixtures/internvl-random";
const REFERENCE: &str = "tests/fixtures/golden/internvl.safetensors";

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
