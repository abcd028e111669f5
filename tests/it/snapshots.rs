//! Emitted structures against files in `tests/snapshots`. `UPDATE_SNAPSHOTS=1` writes them anew; look at the
//! difference.

use crate::common::{assert_snapshot, plain_bundle, succeed};

#[test]
fn lowered_graphs() {
    let demo = plain_bundle().to_str().unwrap();
    for partition in ["vision", "projector", "language.prefill", "language.decode"] {
        let text = succeed(&["inspect", demo, "--graph", partition]);
        assert_snapshot(&format!("{partition}.graph.txt"), &text);
    }
}

#[test]
fn quantized_models() {
    for partition in ["vision", "projector", "language.prefill", "language.decode"] {
        let path = plain_bundle().join(format!("qdq/{partition}.onnx"));
        let text = succeed(&["inspect", path.to_str().unwrap(), "--all"]);
        // The first line says where the file is.
        let (_, text) = text.split_once('\n').unwrap();
        assert_snapshot(&format!("{partition}.qdq.txt"), text);
    }
}

/// The encodings file of the smallest partition: what has which bits, in AIMET's format.
#[test]
fn encodings() {
    let text = std::fs::read_to_string(plain_bundle().join("encodings/projector.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut short = String::new();
    for list in ["activation_encodings", "param_encodings"] {
        short.push_str(&format!("{list}\n"));
        for entry in value[list].as_array().unwrap() {
            // Offsets of activations follow from what this machine's float arithmetic gave; those of weights do not.
            let offsets = match entry["is_sym"].as_bool().unwrap() {
                true => format!(", offset {}", entry["offset"][0]),
                false => String::new(),
            };
            short.push_str(&format!(
                "  {} {} {} bw {} sym {}: {} scales{offsets}\n",
                entry["name"].as_str().unwrap(),
                entry["enc_type"].as_str().unwrap(),
                entry["dtype"].as_str().unwrap(),
                entry["bw"],
                entry["is_sym"],
                entry["scale"].as_array().unwrap().len(),
            ));
        }
    }
    assert_eq!(value["version"], "1.0.0");
    assert_snapshot("projector.encodings.txt", &short);
}

#[test]
fn help_texts() {
    let mut text = String::new();
    for command in [
        "",
        "compile",
        "export",
        "calibrate",
        "quantize",
        "emit",
        "build",
        "verify",
        "synth",
        "run",
        "eval",
        "parity",
        "doctor",
        "target",
        "target check",
        "target list",
        "inspect",
        "graph",
        "report",
        "gate",
        "completions",
        "man",
    ] {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        text.push_str(&format!("$ autoneural {}\n{}\n", args.join(" "), succeed(&args)));
    }
    for args in [&["-h"][..], &["compile", "-h"]] {
        text.push_str(&format!("$ autoneural {}\n{}\n", args.join(" "), succeed(args)));
    }
    assert_snapshot("help.txt", &text);
}
