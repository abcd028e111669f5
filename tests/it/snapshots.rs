//! Emitted structures against files in `tests/snapshots`. `UPDATE_SNAPSHOTS=1` writes them anew; look at the difference.

use crate::common::{demo_bundle, root, succeed};

pub fn assert_snapshot(name: &str, made: &str) {
    let path = root("tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, made).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if wanted != made {
        let line = wanted.lines().zip(made.lines()).position(|(a, b)| a != b).unwrap_or(0);
        let at = |text: &str| text.lines().nth(line).unwrap_or_default().to_string();
        panic!("{name} differs from line {}:\n- {}\n+ {}", line + 1, at(&wanted), at(made));
    }
}

#[test]
fn lowered_graphs() {
    let demo = demo_bundle().to_str().unwrap();
    for partition in ["vision", "projector", "language.prefill", "language.decode"] {
        let text = succeed(&["inspect", demo, "--graph", partition]);
        assert_snapshot(&format!("{partition}.graph.txt"), &text);
    }
}

#[test]
fn quantized_models() {
    for partition in ["vision", "projector", "language.prefill", "language.decode"] {
        let path = demo_bundle().join(format!("qdq/{partition}.onnx"));
        let text = succeed(&["inspect", path.to_str().unwrap(), "--all"]);
        // The first line says where the file is.
        let (_, text) = text.split_once('\n').unwrap();
        assert_snapshot(&format!("{partition}.qdq.txt"), text);
    }
}

/// The encodings file of the smallest partition: what has which bits, in AIMET's format.
#[test]
fn encodings() {
    let text = std::fs::read_to_string(demo_bundle().join("encodings/projector.json")).unwrap();
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
