//! `diff` names what is wrong in models that other programs quantized.

use std::path::Path;
use std::process::{Command, Output};

use autoneural::ir::{Builder, ElementType, ops};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::tower;
use crate::common::{autoneural, numbers, root, stderr, stdout, succeed, toolkit};

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
    let joined: &[&str] = &["--joined"];
    for (seed, activations, more) in [
        ("0", "uint16", &[][..]),
        ("1", "uint8", &[]),
        ("2", "uint16", &[]),
        ("3", "uint8", joined),
        ("4", "uint16", joined),
    ] {
        let folder = TempDir::new().expect("a folder");
        let args =
            [&[text(folder.path()), "--seed", seed, "--activations", activations, "--faults", "20"], more].concat();
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

/// A model of `tools/npu_faults.py`, compared on the NPU.
fn on_npu(args: &[&str]) -> Value {
    let folder = TempDir::new().expect("a folder");
    tool("npu_faults.py", &[&[text(folder.path())], args].concat());
    json(&diff(folder.path(), "quantized.onnx", &["--on", "npu"]))
}

/// What is wrong only where the compiler joins operators is in no figure of a single one.
#[test]
fn operators_that_go_wrong_only_together_are_named() {
    let found = on_npu(&["--rows", "10", "--layers", "2"]);
    assert_eq!(faults(&found), [("y0".to_string(), "fused-wrongly".to_string())]);
    let found = &found["comparisons"][0];
    let layer = found["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == "y0").unwrap();
    let what = layer["fault"]["what"].as_str().unwrap();
    assert!(what.contains("`sigmoid0` (Sigmoid) and `mul0` (Mul)"), "{what}");
    for figures in ["so_far_db", "alone_db"] {
        assert!(layer[figures]["npu"].as_f64().unwrap() > 40.0, "{layer}");
    }
    let output = &found["compiled"]["outputs"][0];
    let db = |figure: &str| output[figure].as_f64().unwrap();
    assert!(output["name"] == "y1" && db("compiled_db") < 10.0 && db("in_parts_db") > 40.0, "{output}");
    assert!(found["compiled"]["searched"].as_u64().unwrap() > 1);
}

#[test]
fn a_sound_network_is_as_good_as_a_whole_as_in_parts() {
    let found = on_npu(&["--rows", "8", "--layers", "2"]);
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    let compiled = &found["comparisons"][0]["compiled"];
    let output = &compiled["outputs"][0];
    let db = |figure: &str| output[figure].as_f64().unwrap();
    assert!((db("compiled_db") - db("in_parts_db")).abs() < 3.0 && db("compiled_db") > 40.0, "{output}");
    assert!(compiled["refused"].is_null() && compiled["searched"] == 1, "{compiled}");
}

/// AIMET gives an operator and its activation one encoding, and the NPU's compiler joins them.
#[test]
fn an_operator_and_its_activation_are_one_layer() {
    let found = on_npu(&["--relu", "--layers", "2"]);
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    let layers = found["comparisons"][0]["layers"].as_array().unwrap();
    let named: Vec<(&str, &str)> =
        layers.iter().map(|layer| (layer["name"].as_str().unwrap(), layer["node"].as_str().unwrap())).collect();
    assert_eq!(named, [("x", "x_q"), ("y0", "conv0"), ("y1", "conv1")]);
    for layer in layers {
        assert!(layer["refused"].is_null() && layer["integer"] == "uint16", "{layer}");
        assert!(layer["alone_db"]["npu"].as_f64().unwrap() > 40.0, "{layer}");
    }
    let found = on_npu(&["--relu", "--bias-scale", "2"]);
    assert_eq!(faults(&found), [("y0".to_string(), "bias-off-scale".to_string())]);
}

/// What the NPU does otherwise than the file says is told as such, where no CPU shows it.
#[test]
fn what_the_npu_does_not_keep_to_is_told() {
    let one = |name: &str, cause: &str| vec![(name.to_string(), cause.to_string())];
    assert_eq!(faults(&on_npu(&["--sigmoid", "seen"])), one("s0", "fixed-output-range"));
    assert_eq!(faults(&on_npu(&["--bias-scale", "2"])), one("h0", "bias-off-scale"));
    // The bias belongs to an encoding that is wrong; with a sound one in its place the operator is not.
    assert_eq!(faults(&on_npu(&["--collapse", "8"])), one("x", "range-collapsed"));
}

/// The first fault ends the comparison where that is wished, and is told before the rest in any case.
#[test]
fn the_first_fault_is_enough_where_that_is_said() {
    let folder = TempDir::new().expect("a folder");
    let planted: Value =
        serde_json::from_str(&tool("planted_faults.py", &[text(folder.path()), "--seed", "0", "--faults", "20"]))
            .unwrap();
    let [whole, first] = [&[][..], &["--first"]].map(|more| json(&diff(folder.path(), "planted.onnx", more)));
    let of = |found: &Value, key: &str| found["comparisons"][0][key].clone();
    assert_eq!((of(&whole, "left"), faults(&whole).len()), (0.into(), planted.as_object().unwrap().len()));
    let [every, some] = [&whole, &first].map(|found| of(found, "layers").as_array().unwrap().clone());
    assert!(!faults(&first).is_empty() && faults(&whole).starts_with(&faults(&first)), "{:?}", faults(&first));
    assert!(some.len() < every.len() && every.starts_with(&some), "{} of {}", some.len(), every.len());
    assert_eq!(of(&first, "left").as_u64().unwrap() as usize, every.len() - some.len());
    // As text it is told as it is found; a sound network is compared to its end.
    let files = ["float.onnx", "planted.onnx", "sound.onnx", "sample.safetensors"].map(|name| folder.path().join(name));
    let [float, planted, sound, sample] = files.each_ref().map(|path| text(path));
    let toolkit = toolkit();
    let run = |quantized: &str| {
        autoneural(&["diff", float, quantized, "--input", sample, "--toolkit", text(&toolkit), "--first"])
    };
    let output = run(planted);
    let told = format!("first fault: {} (", faults(&whole)[0].0);
    assert!(stderr(&output).contains(&told) && stdout(&output).contains("operators behind were not compared"));
    let output = run(sound);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stdout(&output).contains("were not compared") && stdout(&output).contains("no fault in 101 layers"));
}

#[test]
fn samples_are_read_as_everywhere() {
    let folder = TempDir::new().expect("a folder");
    tool("npu_faults.py", &[text(folder.path())]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [float, quantized, stacked, single] =
        ["float.onnx", "quantized.onnx", "samples.npz", "sample.safetensors"].map(path);
    let toolkit = toolkit();
    let run = |input: &str, more: &[&str]| {
        let args = ["diff", &float, &quantized, "--input", input, "--toolkit", text(&toolkit), "--json"];
        autoneural(&[&args, more].concat())
    };
    let layers = |output: &Output| json(output)["comparisons"][0]["layers"].clone();
    assert_eq!(layers(&run(&stacked, &["--row", "3"])), layers(&run(&single, &[])));
    assert_ne!(layers(&run(&stacked, &["--row", "0"])), layers(&run(&single, &[])));
    for (args, wanted) in [(vec![], "say which one it is: --row N"), (vec!["--row", "4"], "has no row 4")] {
        let output = run(&stacked, &args);
        assert!(output.status.code() == Some(3) && stderr(&output).contains(wanted), "{}", stderr(&output));
    }
}

/// The text of an extracted operator is the same model as the binary.
#[test]
fn an_extracted_operator_shows_its_fault_in_both_forms() {
    let folder = TempDir::new().expect("a folder");
    let args = [text(folder.path()), "--seed", "2", "--faults", "20"];
    let planted: Value = serde_json::from_str(&tool("planted_faults.py", &args)).expect("JSON");
    let wrong = planted.as_object().expect("faults").iter().find(|(_, kind)| *kind == "weights twice");
    let (wrong, _) = wrong.expect("a fault of this kind");
    let out = folder.path().join("one");
    let output = diff(folder.path(), "planted.onnx", &["--extract", wrong, text(&out)]);
    assert!(output.status.success(), "{}", stderr(&output));
    let read = |end: &str| {
        let [float, quantized] = ["float", "quantized"].map(|name| out.join(name).with_extension(end));
        let (input, toolkit) = (out.join("input.safetensors"), toolkit());
        let files = ["--input", text(&input), "--toolkit", text(&toolkit), "--json"];
        let output = autoneural(&[&["diff", text(&float), text(&quantized)], files.as_slice()].concat());
        assert_eq!(output.status.code(), Some(VERIFICATION), "{end}: {}", stderr(&output));
        json(&output)
    };
    let [binary, written] = ["onnx", "textproto"].map(read);
    assert_eq!(faults(&written), [(wrong.clone(), "weights-scale".to_string())]);
    assert_eq!(binary["comparisons"][0]["layers"], written["comparisons"][0]["layers"]);
    let words = std::fs::read_to_string(out.join("quantized.textproto")).expect("text");
    assert!(words.contains("op_type: \"Conv\"") && words.contains("op_type: \"QuantizeLinear\""), "{words}");
}

/// Of an operand in 16 bits that is multiplied in two halves the rest of the high one is computed beside it, however much
/// that is of a sample that is smaller than those that calibrated.
#[test]
fn what_the_high_half_of_an_operand_loses_is_no_fault() {
    let mut b = Builder::new("tower");
    let x = b.input("x", vec![1, 4, 8, 8], ElementType::F32).unwrap();
    let turned = b.node("turned", ops::Transpose { perm: vec![0, 1, 3, 2] }, &[x]).unwrap();
    let y = b.node("y", ops::MatMul, &[x, turned]).unwrap();
    let folder = tower::written(b.finish(vec![y]), &[1, 4, 8, 8], |at| numbers(256, 90 + at));
    let out = folder.path().join("out");
    let recipe = tower::recipe(folder.path(), ["int8", "uint16"], "products = \"split\"");
    tower::compile(folder.path(), &recipe, &["--verify", "none"], &out);
    let small: Vec<u8> = numbers(256, 99).into_iter().flat_map(|number| (number * 0.05).to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![1, 4, 8, 8], &small).unwrap();
    let sample = folder.path().join("small.safetensors");
    std::fs::write(&sample, serialize([("x", view)], None).unwrap()).unwrap();
    let found: Value =
        serde_json::from_str(&succeed(&["diff", text(&out), "--input", text(&sample), "--json"])).unwrap();
    assert!(faults(&found).is_empty(), "{:?}", faults(&found));
    let layers = found["comparisons"][0]["layers"].as_array().unwrap();
    let halves: Vec<&Value> = layers.iter().filter(|layer| layer["op"] == "QuantizeLinear").collect();
    assert_eq!(halves.len(), 2, "{layers:?}");
    // What is read behind such a change is as far from float as what made it.
    assert!(halves.iter().all(|layer| layer["so_far_db"]["simulated"].as_f64().unwrap() < 30.0), "{halves:?}");
}
