//! Equalization: the spread of a value's channels goes into weights before anything is quantized.

use std::path::{Path, PathBuf};

use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::stream::{self, ROTATION};
use crate::common::tower::{self, figure};
use crate::common::{autoneural, json, numbers, stderr};

const ROWS: usize = 16;
const WIDTHS: [usize; 3] = [32, 64, 24];
/// The channel that is far larger than the others, and by how much.
const LARGE: (usize, f32) = (17, 100.0);

/// Two linear layers, and what is between them has one large channel.
fn model() -> Graph {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, ROWS, WIDTHS[0]], ElementType::F32).unwrap();
    let mut first = numbers(WIDTHS[0] * WIDTHS[1], 3);
    first.iter_mut().skip(LARGE.0).step_by(WIDTHS[1]).for_each(|weight| *weight *= LARGE.1);
    let mut second = numbers(WIDTHS[1] * WIDTHS[2], 4);
    // Its reader makes as much of it as of the others, so that what is lost in those counts.
    second[LARGE.0 * WIDTHS[2]..][..WIDTHS[2]].iter_mut().for_each(|weight| *weight /= LARGE.1);
    let first = b.constant("first.weight", Constant::from_values(first, vec![WIDTHS[0], WIDTHS[1]])).unwrap();
    let second = b.constant("second.weight", Constant::from_values(second, vec![WIDTHS[1], WIDTHS[2]])).unwrap();
    let hidden = b.node("hidden", ops::MatMul, &[x, first]).unwrap();
    let scores = b.node("scores", ops::MatMul, &[hidden, second]).unwrap();
    b.finish(vec![scores])
}

/// The model with its samples in a folder.
fn written() -> TempDir {
    tower::written(model(), &[1, ROWS, WIDTHS[0]], |at| numbers(ROWS * WIDTHS[0], 50 + at))
}

/// A recipe of eight bits with this line for equalization.
fn recipe(folder: &Path, equalize: &str) -> PathBuf {
    tower::recipe(folder, ["int8", "uint8"], equalize)
}

fn compile(folder: &Path, equalize: &str, out: &Path) -> Value {
    tower::compile(folder, &recipe(folder, equalize), &[], out)
}

#[test]
fn a_model_with_one_large_channel_holds_in_eight_bits_once_it_is_equalized() {
    let folder = written();
    let out = folder.path().join("out");
    let plain = compile(folder.path(), "", &out);
    assert!(!out.join("equalized").exists());
    let smooth = compile(folder.path(), "equalize = { method = \"smooth-quant\" }", &out);
    for engine in ["simulated", "npu"] {
        let [before, after] = [&plain, &smooth].map(|report| figure(report, engine));
        assert!(after > before + 10.0, "{engine}: {before} dB, equalized {after} dB");
    }
    // The float model of the bundle is the one that was equalized, and computes what the file does.
    let frozen = &smooth["partitions"][0]["frozen"];
    assert!(frozen["sqnr_db"].as_f64().unwrap() >= 80.0, "{frozen}");
    assert!(out.join("equalized/tower.onnx").exists() && out.join("model/tower.onnx").exists());
    let manifest = json(&out.join("manifest.json"));
    let mut files = manifest["files"].as_array().unwrap().iter();
    assert!(files.any(|file| file["path"] == "equalized/tower.data"), "{}", manifest["files"]);
    // The same again is up to date.
    let before = std::fs::read(out.join("report.json")).unwrap();
    compile(folder.path(), "equalize = { method = \"smooth-quant\" }", &out);
    assert_eq!(std::fs::read(out.join("report.json")).unwrap(), before);
    // Without it, nothing of it is left, and the bundle is as it was.
    let again = compile(folder.path(), "", &out);
    assert!(!out.join("equalized").exists());
    assert_eq!(again["partitions"][0]["outputs"], plain["partitions"][0]["outputs"]);
}

#[test]
fn a_rotated_stream_with_one_large_channel_holds_in_eight_bits() {
    let folder = stream::written();
    let out = folder.path().join("out");
    let plain = compile(folder.path(), "", &out);
    let rotated = compile(folder.path(), "equalize = { method = \"hadamard\" }", &out);
    for engine in ["simulated", "npu"] {
        let [before, after] = [&plain, &rotated].map(|report| figure(report, engine));
        assert!(after > before + 6.0, "{engine}: {before} dB, rotated {after} dB");
    }
    let frozen = &rotated["partitions"][0]["frozen"];
    assert!(frozen["sqnr_db"].as_f64().unwrap() >= 80.0, "{frozen}");
    // The rotation of what comes in is a layer of its own.
    let encodings = json(&out.join("encodings/tower.json"));
    let of_rotation = encodings["param_encodings"].as_array().unwrap().iter();
    let of_rotation = of_rotation.filter(|one| one["name"] == ROTATION).count();
    assert_eq!(of_rotation, 1);
}

#[test]
fn a_graph_without_a_stream_is_not_rotated() {
    let folder = written();
    let (recipe, out) = (recipe(folder.path(), "equalize = { method = \"hadamard\" }"), folder.path().join("none"));
    let model = folder.path().join("tower.onnx");
    let [model, recipe, out] = [&model, &recipe, &out].map(|path| path.to_str().unwrap());
    let arguments = ["compile", model, "--calibration", recipe, "--target", "sa8295p", "--out", out];
    let said = stderr(&autoneural(&arguments));
    assert!(
        said.contains("recipe.tower.equalize") && said.contains("no residual stream that could be rotated"),
        "{said}"
    );
    assert!(said.contains("no input goes both into a root-mean-square normalization and into a sum"), "{said}");
}

#[test]
fn what_recipes_say_wrongly_of_equalization_is_told() {
    let folder = written();
    let model = folder.path().join("tower.onnx");
    let given = folder.path().join("given.json");
    let entry = concat!(
        r#"{"name":"hidden","bw":8,"dtype":"INT","enc_type":"PER_TENSOR","is_sym":false,"#,
        r#""scale":[0.1],"offset":[-128]}"#,
    );
    let text = format!(r#"{{"version":"1.0.0","activation_encodings":[{entry}],"param_encodings":[]}}"#);
    std::fs::write(&given, text).unwrap();
    let refused = |equalize: &str| {
        let (recipe, out) = (recipe(folder.path(), equalize), folder.path().join("none"));
        let [model, recipe, out, given] = [&model, &recipe, &out, &given].map(|path| path.to_str().unwrap());
        let arguments = [
            ["compile", model, "--calibration", recipe, "--target", "sa8295p"],
            ["--out", out, "--verify", "none", "--encodings", given],
        ]
        .concat();
        let output = autoneural(&arguments);
        assert!(!output.status.success(), "{equalize}");
        assert!(!Path::new(out).exists(), "{equalize}");
        stderr(&output)
    };
    let said = refused("equalize = { method = \"flat\" }");
    assert!(said.contains("`flat` is no way to equalize; there are smooth-quant"), "{said}");
    assert!(said.contains("recipe.toml"), "{said}");
    let said = refused("equalize = { method = \"smooth-quant\", alpha = 1.5 }");
    assert!(said.contains("recipe.tower.equalize.alpha") && said.contains("0 to 1"), "{said}");
    let said = refused("equalize = { method = \"smooth-quant\" }");
    assert!(said.contains("given.json: `hidden`: is inside tower, whose numbers `recipe.tower.equalize`"), "{said}");
}
