//! ONNX models that another program quantized: the float graph remains, and what they say of their values is kept where
//! that is asked for. The fixtures are one network as ONNX Runtime's quantizer writes it (tools/make_quantized_models.py).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autoneural::back::encodings;
use autoneural::bundle::Bundle;
use autoneural::encoding::{Encoding, IntegerType};
use autoneural::front::onnx::import;
use autoneural::quantize::Table;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::bench::INPUT;
use crate::common::{autoneural, json, root, stderr, succeed};

fn model(name: &str) -> PathBuf {
    root(&format!("tests/fixtures/onnx-quantized/{name}.textproto"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Four samples in a file.
fn samples(folder: &Path) -> PathBuf {
    let numbers = (0..4 * 3 * 8 * 8).map(|at| ((at * 7919) % 2003) as f32 / 501.0 - 2.0);
    let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    let path = folder.join("samples.npy");
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1, 3, 8, 8), }";
    let header = format!("{header:<117}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    std::fs::write(&path, file).unwrap();
    path
}

/// Quantizes a model stage by stage; gives the bundle, its table and the warnings.
fn quantized(folder: &Path, name: &str, export: &[&str], quantize: &[&str]) -> (PathBuf, Table, Vec<String>) {
    let (out, model, samples) = (folder.join(name), model(name), samples(folder));
    succeed(&[&["export", text(&model), "--target", "sa8295p", "--out", text(&out), "--force"], export].concat());
    succeed(&["calibrate", text(&out), "--calibration", text(&samples)]);
    succeed(&[&["quantize", text(&out)], quantize].concat());
    let bundle = Bundle::look(&out).unwrap();
    let table = bundle.tables(&bundle.partitions().unwrap()).unwrap().remove(0);
    let manifest = json(&out.join("manifest.json"));
    let warnings = manifest["warnings"].as_array().unwrap().iter();
    let warnings = warnings.map(|warning| warning["message"].as_str().unwrap_or_default().to_string()).collect();
    (out, table, warnings)
}

/// The range that an encoding covers, whatever its integers.
fn covers(one: &Encoding, other: &Encoding) -> bool {
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * one.scale[0] * 255.0;
    one.range().iter().zip(&other.range()).all(close)
}

/// Operators of a graph and their order.
fn operators(name: &str) -> Vec<&'static str> {
    import(&model(name), &[]).unwrap().recognized.nodes().iter().map(|node| node.op.name()).collect()
}

/// With the activations that the quantizer left out, because integers that begin at 0 stand for them.
#[test]
fn the_float_graph_remains() {
    let wanted = operators("float");
    assert!(wanted.contains(&"Relu") && wanted.contains(&"Clip"), "{wanted:?}");
    for name in ["u8u8", "u8s8", "u16s8", "s8s8", "u16s4"] {
        assert_eq!(operators(name), wanted, "{name}");
        let made = import(&model(name), &[]).unwrap();
        assert!(
            made.notes.iter().any(|note| note.contains("are cut there (Relu), 1 of them at 6")),
            "{:?}",
            made.notes
        );
    }
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let model_path = model("u8s8");
    let args = ["export", text(&model_path), "--target", "sa8295p", "--out", text(&out)];
    let said = stderr(&autoneural(&args));
    assert!(said.contains("encodings of 6 values and 6 constants are dropped; --keep-encodings keeps them"), "{said}");
    assert!(!out.join("model/u8s8.kept.json").exists());
    let said = succeed(&["inspect", text(&model("u8s8"))]);
    assert!(said.contains("encodings of 6 values and 6 constants"), "{said}");
}

#[test]
fn models_whose_operators_compute_in_integers_are_told_the_way_round() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let model = model("operators");
    let output = autoneural(&["export", text(&model), "--target", "sa8295p", "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(INPUT));
    let said = stderr(&output);
    for words in ["QLinearConv (`first_quant`, `second_quant`)", "com.microsoft.QGemm", "QuantFormat.QDQ"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// What the file says of a value is what the table says of it; what it does not say is calibrated, in the same integers.
#[test]
fn encodings_are_kept_where_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    for (name, activations) in [
        ("u8u8", IntegerType::Uint8),
        ("u8s8", IntegerType::Uint8),
        ("s8s8", IntegerType::Uint8),
        ("u16s8", IntegerType::Uint16),
        ("u16s4", IntegerType::Uint16),
    ] {
        let stated = import(&model(name), &[]).unwrap().stated;
        let (out, table, _) = quantized(folder.path(), name, &["--keep-encodings"], &[]);
        assert_eq!(stated.activations.len(), 6, "{name}");
        for (value, encoding) in &stated.activations {
            assert!(covers(&table.activations[value], encoding), "{name}: {value}: {:?}", table.activations[value]);
        }
        // A convolution makes what its activation makes: the quantizer took the two as one.
        for (sum, cut) in [("r1/sum", "r1"), ("r2/sum", "r2")] {
            let [sum, cut] = [sum, cut].map(|name| &table.activations[name]);
            assert_eq!(sum, cut, "{name}");
        }
        for (value, encoding) in &table.activations {
            assert_eq!(encoding.integer, activations, "{name}: {value}");
        }
        let record = &json(&out.join("manifest.json"))["partitions"][0];
        assert_eq!(
            record["weights"],
            if name == "u16s4" {
                "W4A16"
            } else if name == "u16s8" {
                "W8A16"
            } else {
                "W8A8"
            }
        );
        // Without the option it is calibrated, in the integers of the recipe.
        let (_, plain, _) = quantized(folder.path(), name, &[], &[]);
        assert!(plain.activations.values().all(|encoding| encoding.integer == IntegerType::Uint16), "{name}");
        assert!(!covers(&plain.activations["image"], &stated.activations["image"]), "{name}");
    }
}

/// The integers of weights are those of the file, up to the sign that the chip wants.
#[test]
fn codes_of_weights_are_those_of_the_file() {
    let folder = TempDir::new().unwrap();
    for (name, kept) in [("u8s8", 3), ("u16s8", 3), ("s8s8", 3), ("u16s4", 3), ("u8u8", 0)] {
        let imported = import(&model(name), &[]).unwrap();
        let (out, table, warnings) = quantized(folder.path(), name, &["--keep-encodings"], &[]);
        let bundle = Bundle::look(&out).unwrap();
        let partition = bundle.partitions().unwrap().remove(0);
        let mut same = 0;
        for (name, encoding) in table.params.iter().filter(|(_, one)| one.integer != IntegerType::Int32) {
            let value = partition.graph.value(partition.graph.find(name).unwrap());
            let numbers = value.constant().unwrap().to_f32();
            let base = name.strip_suffix(".folded").unwrap_or(name);
            let Some(stated) = imported.stated.params.get(base).filter(|one| one.integer != IntegerType::Int32) else {
                continue;
            };
            // The head lies transposed in the graph, and has one scale or one for each column.
            let axis = stated.axis.map(|_| encoding.axis.unwrap());
            let stated = Encoding { axis, ..stated.clone() };
            if encoding.quantize(&numbers, &value.shape) == stated.quantize(&numbers, &value.shape) {
                same += 1;
            }
        }
        assert_eq!(same, kept, "{name}: {warnings:?}");
        let is_said = |warning: &String| warning.contains("has a zero point") && warning.contains("`first.weight`");
        assert_eq!(warnings.iter().any(is_said), kept == 0, "{name}: {warnings:?}");
    }
}

/// The files that this program writes are files that it reads: given back they are the same table.
#[test]
fn files_of_our_own_come_back() {
    let folder = TempDir::new().unwrap();
    let (out, wanted, _) = quantized(folder.path(), "float", &[], &[]);
    let file = folder.path().join("own.json");
    std::fs::copy(out.join("encodings/float.json"), &file).unwrap();
    for more in [&["--encodings", text(&file)][..], &["--encodings", text(&file), "--keep-encodings"]] {
        let (_, table, warnings) = quantized(folder.path(), "float", &[], more);
        assert_eq!(table, wanted, "{warnings:?}");
        let counts = &json(&out.join("manifest.json"))["partitions"][0]["encodings"];
        assert!(counts["given"].as_u64().unwrap() > 0 && counts["calibrated"] == 0, "{counts}");
    }
}

/// AIMET's three formats beside a float model. What does not fit is refused, or settled and named.
#[test]
fn encodings_of_aimet_that_do_not_fit_are_settled_where_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let scale = |bits: u32| 8.0 / f64::from((1u32 << bits) - 1);
    let old = serde_json::json!({
        "version": "0.6.1",
        "activation_encodings": {"r1": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "min": 0.0, "max": 8.0,
            "scale": scale(8), "offset": 0}]},
        "param_encodings": {"first.weight": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "scale": 0.01, "offset": -128}]},
    });
    let middle = serde_json::json!({
        "version": "1.0.0",
        "activation_encodings": [{"name": "r1", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 8, "is_sym": false,
            "scale": [scale(8)], "offset": [0]}],
        "param_encodings": [{"name": "first.weight", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 8, "is_sym": true,
            "scale": [0.01], "offset": [-128]}],
    });
    let new = serde_json::json!({"version": "2.0.0", "encodings": [
        {"name": "r1", "output_dtype": "uint8", "y_scale": scale(8), "y_zero_point": 0},
        {"name": "first.weight", "output_dtype": "int8", "y_scale": 0.01},
    ]});
    for (at, file) in [old, middle, new].iter().enumerate() {
        let path = folder.path().join(format!("{at}.json"));
        std::fs::write(&path, serde_json::to_string::<Value>(file).unwrap()).unwrap();
        let (out, _, _) = quantized(folder.path(), "float", &[], &[]);
        let output = autoneural(&["quantize", text(&out), "--encodings", text(&path)]);
        assert_eq!(output.status.code(), Some(INPUT), "{at}");
        assert!(stderr(&output).contains("`r1`: is uint8, the recipe wants uint16"), "{}", stderr(&output));

        let settled = ["--encodings", text(&path), "--keep-encodings"];
        let (_, table, _) = quantized(folder.path(), "float", &[], &settled);
        // All are uint8 now; one scale of a weight is that of all its channels.
        let integers: BTreeMap<&str, IntegerType> =
            table.activations.iter().map(|(name, encoding)| (name.as_str(), encoding.integer)).collect();
        assert!(integers.values().all(|integer| *integer == IntegerType::Uint8), "{at}: {integers:?}");
        assert!((table.activations["r1"].range()[1] - 8.0).abs() < 1e-4);
        let weights = &table.params["first.weight"];
        assert_eq!((weights.scale.len(), weights.axis), (4, Some(0)));
        assert!(weights.scale.iter().all(|scale| (scale - 0.01).abs() < 1e-4), "{at}: {weights:?}");
        // The table is written as it was settled.
        let written = std::fs::read(out.join("encodings/float.json")).unwrap();
        assert_eq!(encodings::look(&written, Path::new("float.json")).unwrap().activations, table.activations);
    }
}
