//! Models from elsewhere with weights that somebody trained, from the ONNX file to the NPU's emulator.
//!
//! `make real` and `make test` run this ring, and set AUTONEURAL_TOOLKIT (the vendor toolkit), AUTONEURAL_CHECK_PYTHONPATH
//! (the onnx package) and AUTONEURAL_REAL_MODELS (what tools/real/make_models.py made).

#[path = "../common/mod.rs"]
mod common;

mod language;

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use common::{json, stderr, succeed, toolkit};

/// A file of tools/real/make_models.py.
fn made(name: &str) -> PathBuf {
    let folder = std::env::var("AUTONEURAL_REAL_MODELS").expect("run the tests with `make real`");
    Path::new(&folder).join(name)
}

/// Prints the lowest SQNR of an output of a bundle's float model against the model's file, both in ONNX Runtime, over
/// the samples that judge; then the class of each sample.
const COMPARE: &str = "
import sys, numpy as np, onnxruntime as ort
first, second = (ort.InferenceSession(path, providers=['CPUExecutionProvider']) for path in sys.argv[1:3])
samples, lowest, classes = np.load(sys.argv[3]), 200.0, []
kinds = {'tensor(float)': np.float32, 'tensor(int32)': np.int32, 'tensor(int64)': np.int64}
for at in range(len(next(iter(samples.values())))):
    feeds = [{port.name: samples[port.name][at].astype(kinds[port.type]) for port in session.get_inputs()}
             for session in (first, second)]
    names = [port.name for port in first.get_outputs()]
    for wanted, found in zip(first.run(names, feeds[0]), second.run(names, feeds[1])):
        assert wanted.shape == found.shape
        noise = float(np.square(wanted.astype(np.float64) - found).sum())
        if noise:
            lowest = min(lowest, 10 * np.log10(float(np.square(wanted.astype(np.float64)).sum()) / noise))
        classes.append(str(int(found.argmax())))
print(lowest, *classes)
";

/// Compiles a model with its samples; all of it is on the NPU, and its outputs have at least so many dB there. Gives the
/// class of each sample that judges, in float.
fn goes_all_the_way(name: &str, shape: Option<&str>, least_db: f64) -> Vec<usize> {
    let packages = std::env::var("AUTONEURAL_CHECK_PYTHONPATH").expect("run the tests with `make real`");
    let folder = TempDir::new().unwrap();
    let (out, toolkit, model) = (folder.path().join("out"), toolkit(), made(&format!("{name}.onnx")));
    let (samples, judges) = (made(&format!("{name}.npz")), made(&format!("{name}.judge.npz")));
    let path = |path: &Path| path.to_str().unwrap().to_string();
    let mut args = vec!["compile".into(), path(&model), "--target".into(), "sa8295p".into(), "--require-npu".into()];
    for (option, value) in [
        ("--calibration", path(&samples)),
        ("--verification", path(&judges)),
        ("--out", path(&out)),
        ("--toolkit", path(&toolkit)),
        ("--max-difference", "99".into()),
    ] {
        args.extend([option.to_string(), value]);
    }
    args.extend(shape.map(|shape| ["--shape".to_string(), shape.to_string()]).into_iter().flatten());
    succeed(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let report = json(&out.join("report.json"));
    let partition = &report["partitions"][0];
    assert_eq!(partition["nodes"], partition["npu_nodes"], "{name}");
    let outputs = partition["outputs"].as_array().unwrap();
    assert!(!outputs.is_empty());
    for output in outputs {
        let found = output["sqnr_db"]["npu"].as_f64().unwrap_or_else(|| panic!("{name}: {output}"));
        println!("{name}: {} {found:.1} dB on the NPU", output["name"]);
        assert!(found >= least_db, "{name}: {output}");
    }
    let output = Command::new("python3")
        .args(["-c", COMPARE, &path(&model), &path(&out.join(format!("model/{name}.onnx"))), &path(&judges)])
        .env("PYTHONPATH", format!("{}:{packages}", toolkit.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let mut words = said.split_whitespace();
    let sqnr: f64 = words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{}", stderr(&output)));
    println!("{name}: the float model {sqnr:.1} dB against ONNX Runtime");
    assert!(sqnr >= 90.0, "{name}: {sqnr}");
    words.map(|word| word.parse().unwrap()).collect()
}

#[test]
fn a_classifier_of_images() {
    let classes = goes_all_the_way("efficientnet_lite0", None, 17.0);
    // The photographs by name: a brush, a cat, coffee, dogs and mountains are what ImageNet calls them.
    for (at, class) in [(1, 696), (2, 285), (3, 967), (5, 219), (7, 970)] {
        assert_eq!(classes[at], class, "photograph {at}: {classes:?}");
    }
}

#[test]
fn words_in_pictures_are_found() {
    goes_all_the_way("ppocr_det", Some("1,3,320,320"), 14.0);
}

#[test]
fn words_in_pictures_are_turned() {
    goes_all_the_way("ppocr_cls", Some("1,3,48,192"), 30.0);
}

#[test]
fn words_in_pictures_are_recognized() {
    goes_all_the_way("ppocr_rec", Some("1,3,48,320"), 12.0);
}

#[test]
fn a_sentence_becomes_an_embedding() {
    goes_all_the_way("minilm", None, 25.0);
}
