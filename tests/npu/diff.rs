//! `diff` names what is wrong in models that other programs quantized.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{autoneural, root, stderr, stdout, toolkit};

const VERIFICATION: i32 = 6;

/// Runs a script of `tools` with the onnx package.
fn tool(script: &str, args: &[&str]) -> String {
    let packages = std::env::var("AUTONEURAL_CHECK_PYTHONPATH").expect("run the tests with `make test`");
    let output = Command::new("python3")
        .env("PYTHONPATH", packages)
        .arg(root("tools").join(script))
        .args(args)
        .output()
        .expect("python3 starts");
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn diff(folder: &Path, quantized: &str, more: &[&str]) -> Output {
    let files = [folder.join("float.onnx"), folder.join(quantized), folder.join("sample.safetensors"), toolkit()];
    let [float, quantized, sample, toolkit] = files.each_ref().map(|path| text(path));
    autoneural(&[&["diff", float, quantized, "--input", sample, "--toolkit", toolkit, "--json"], more].concat())
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

/// Names of the values that are wrong, with their causes.
fn faults(found: &Value) -> Vec<(String, String)> {
    let layers =
        found["comparisons"][0]["layers"].as_array().expect("layers").iter().filter(|layer| !layer["fault"].is_null());
    let text = |value: &Value| value.as_str().expect("a text").to_string();
    layers.map(|layer| (text(&layer["name"]), text(&layer["fault"]["cause"]))).collect()
}

/// The causes that a planted fault may be told as.
fn causes(kind: &str) -> &'static [&'static str] {
    match kind {
        "wrong zero point" => &["wrong-zero-point"],
        "range collapsed" => &["range-collapsed"],
        "range too wide" => &["range-too-wide"],
        "weights twice" => &["weights-scale"],
        "channel zeroed" => &["channel-zeroed"],
        "bias dropped" => &["bias-dropped"],
        "conversions disagree" | "zero point of the reader" => &["conversions-disagree"],
        "weights shifted" => &["weights-zero-point"],
        "weights of another layer" => &["weights-differ"],
        other => panic!("{other} is planted, and no cause is expected"),
    }
}

#[test]
fn every_planted_fault_is_named_and_nothing_else() {
    for (seed, activations) in [("0", "uint16"), ("1", "uint8"), ("2", "uint16"), ("3", "uint8")] {
        let folder = TempDir::new().expect("a folder");
        let args = [text(folder.path()), "--seed", seed, "--activations", activations, "--faults", "20"];
        let planted: Value = serde_json::from_str(&tool("planted_faults.py", &args)).expect("JSON");
        let mut planted: Vec<(String, &str)> = planted
            .as_object()
            .expect("faults")
            .iter()
            .map(|(name, kind)| (name.clone(), kind.as_str().expect("a kind")))
            .collect();
        planted.sort_by_key(|(name, _)| name["layer".len()..].parse::<usize>().expect("a number"));
        let output = diff(folder.path(), "planted.onnx", &[]);
        assert_eq!(output.status.code(), Some(VERIFICATION), "{}", stderr(&output));
        let found = faults(&json(&output));
        let names: Vec<&String> = found.iter().map(|(name, _)| name).collect();
        assert_eq!(names, planted.iter().map(|(name, _)| name).collect::<Vec<_>>(), "{activations}: {found:?}");
        for ((name, kind), (_, cause)) in planted.iter().zip(&found) {
            assert!(causes(kind).contains(&cause.as_str()), "{name}: {kind} is told as {cause}");
        }
        let output = diff(folder.path(), "sound.onnx", &[]);
        assert_eq!((faults(&json(&output)), output.status.code()), (vec![], Some(0)));
    }
}
