//! A language model without pictures on the NPU, calibrated with windows of a text file.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{json, succeed, toolkit};

const GRAPH: &str = "tests/fixtures/llama-random/definition.toml";
const WEIGHTS: &str = "tests/fixtures/llama-random";
const RECIPE: &str = r#"schema = 2
name = "text"
decode_steps = 2
calibration = [{ file = "prose.txt", window = 48, windows = "0..3" }]
verification = [{ file = "prose.txt", window = 48, windows = "4..5" }, { prompt = "Which lamp is lit?" }]

[recipe.language]
weights = "int8"
activations = "uint16"
kv_cache = "uint8"
observer = "min-max"
"#;

#[test]
fn every_node_is_on_the_npu_which_agrees_with_the_simulation() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(place("prose.txt"), "The lamp of the door is lit until somebody closes it. ".repeat(8))
        .expect("a text");
    std::fs::write(place("recipe.toml"), RECIPE).expect("a recipe");
    let (out, recipe, text, toolkit) =
        (place("out"), place("recipe.toml"), place("prose.txt"), toolkit().display().to_string());
    let args = ["compile", GRAPH, "--weights", WEIGHTS, "--calibration", &recipe, "--target", "sa8295p", "--out", &out];
    succeed(&[&args[..], &["--require-npu", "--toolkit", &toolkit, "-q"]].concat());
    let report = json(&folder.path().join("out/report.json"));
    let partitions = report["partitions"].as_array().expect("partitions");
    assert_eq!(partitions.len(), 2);
    for partition in partitions {
        assert_eq!(partition["nodes"], partition["npu_nodes"], "{}", partition["name"]);
        let main = &partition["outputs"][0]["sqnr_db"];
        let (simulated, npu) = (main["simulated"].as_f64().expect("dB"), main["npu"].as_f64().expect("dB"));
        assert!((simulated - npu).abs() < 3.0 && npu > 15.0, "{}: {simulated} {npu}", partition["name"]);
    }
    // Two samples judge, of which one is a window: its file is among what was read.
    assert_eq!(report["samples"]["samples"], 2);
    let asked = ["eval", &out, "--text", &text, "--window", "48", "--windows", "4..6", "--toolkit", &toolkit, "--json"];
    let found: Value =
        serde_json::from_str(&succeed(&[&asked[..], &["--on", "float,simulated,npu"]].concat())).expect("JSON");
    // Nobody trained the model, so that what it finds likely is something else: its surprise is compared in logarithms.
    let engines = found["engines"].as_array().expect("engines");
    let surprise = |engine: &Value| engine["perplexity"].as_f64().expect("a figure").ln();
    for engine in &engines[1..] {
        assert!((surprise(engine) / surprise(&engines[0]) - 1.0).abs() < 0.05, "{engine} {}", engines[0]);
        assert!(engine["token_agreement_percent"].as_f64().expect("a figure") > 90.0, "{engine}");
    }
}

#[test]
fn other_contents_of_a_text_file_calibrate_anew() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(place("recipe.toml"), RECIPE).expect("a recipe");
    let (out, recipe) = (place("out"), place("recipe.toml"));
    succeed(&["export", GRAPH, "--weights", WEIGHTS, "--target", "sa8295p", "--out", &out, "-q"]);
    let calibrate = |text: &str| -> Value {
        std::fs::write(place("prose.txt"), text.repeat(12)).expect("a text");
        succeed(&["calibrate", &out, "--calibration", &recipe, "-q"]);
        json(&folder.path().join("out/calibration/statistics.json"))
    };
    let first = calibrate("The lamp of the door is lit until somebody closes it. ");
    assert_eq!(calibrate("The lamp of the door is lit until somebody closes it. "), first);
    assert_ne!(calibrate("Nobody is in the car, which stands at the side of a road. "), first);
}

/// The vendor's compiler decides by addresses there. Some containers do not let a process choose to have the same ones.
#[test]
fn context_binaries_with_weights_in_blocks_are_the_same_in_each_run() {
    let granted = std::process::Command::new("setarch").args(["-R", "true"]).output();
    if granted.is_ok_and(|output| !output.status.success()) {
        eprintln!("skipped: addresses are random in every process of this system");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(place("prose.txt"), "The lamp of the door is lit until somebody closes it. ".repeat(8))
        .expect("a text");
    std::fs::write(place("recipe.toml"), RECIPE.replace("\"int8\"", "\"int4 in blocks of 32\"")).expect("a recipe");
    let (recipe, toolkit) = (place("recipe.toml"), toolkit().display().to_string());
    let binaries = ["a", "b", "c"].map(|name| {
        let out = place(name);
        let args = ["compile", GRAPH, "--weights", WEIGHTS, "--calibration", &recipe, "--target", "sa8295p"];
        succeed(
            &[&args[..], &["--out", &out, "--verify", "none", "--golden", "none", "--toolkit", &toolkit, "-q"]]
                .concat(),
        );
        ["prefill", "decode"]
            .map(|one| std::fs::read(format!("{out}/context/language.{one}_qnn.bin")).expect("a binary"))
    });
    assert!(binaries[0] == binaries[1] && binaries[0] == binaries[2]);
}
