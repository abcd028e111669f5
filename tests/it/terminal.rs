//! Text of other people's files on a terminal and in the log of a CI: it stands for itself, and nothing obeys it.

use std::os::unix::ffi::OsStrExt;

use autoneural_onnx::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use prost::Message;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::common::bench::Bench;
use crate::common::terminal::{HOSTILE, run, words};
use crate::common::{stderr, stdout};

#[test]
fn names_in_checkpoints_and_models_stand_for_themselves() {
    let bench = Bench::new();
    let data = [0u8; 4];
    let tensor = TensorView::new(Dtype::F32, vec![1], &data).expect("a tensor");
    let file = safetensors::serialize([(HOSTILE, tensor)], None).expect("a file");
    std::fs::create_dir(bench.path("odd")).expect("a folder");
    bench.write("odd/model.safetensors", file);
    let info = |name: &str| ValueInfoProto { name: name.into(), ..ValueInfoProto::default() };
    let node = NodeProto { op_type: HOSTILE.into(), name: HOSTILE.into(), ..NodeProto::default() };
    let graph =
        GraphProto { node: vec![node], input: vec![info(HOSTILE)], output: vec![info("y")], ..GraphProto::default() };
    let model = ModelProto {
        producer_name: HOSTILE.into(),
        producer_version: HOSTILE.into(),
        graph: Some(graph),
        ..ModelProto::default()
    };
    bench.write("odd.onnx", model.encode_to_vec());
    let escaped = "\\u{1b}]0;title\\u{7}\\u{1b}[31m\\u{9b}31m\\rok\\n::error file=x::forged\\n";
    for (case, args, told) in [
        ("a checkpoint", &["inspect", "odd", "--all"][..], escaped),
        ("held against a definition", &["inspect", "odd", "--definition", "graph.toml"], escaped),
        ("a model", &["inspect", "odd.onnx"], escaped),
        ("a checkpoint as JSON", &["inspect", "odd", "--json"], "\\u001b]0;title"),
        ("a model as JSON", &["inspect", "odd.onnx", "--json"], "\\u001b]0;title"),
        ("an export", &["export", "graph.toml", "--weights", "odd", "--target", "sa8295p", "--out", "out/x"], ""),
    ] {
        let output = run(case, bench.path("").as_path(), &words(args), told);
        if args.contains(&"--json") {
            let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
            assert!(value.to_string().contains("forged"), "{case}");
            let names = [&value["tensors"][0]["name"], &value["inputs"][0]["name"]];
            assert!(names.contains(&&json!(HOSTILE)), "{case}: JSON says the very name");
        }
    }
}

#[test]
fn errors_stand_in_their_line() {
    let bench = Bench::new();
    let here = bench.path("");
    let named = std::ffi::OsStr::new(HOSTILE);
    let escaped = "\\u{1b}]0;title";
    for (case, args) in [
        ("no such file", vec!["inspect".as_ref(), named]),
        (
            "no such target",
            [words(&["export", "graph.toml", "--weights", "weights", "--out", "o", "--target"]), vec![named]].concat(),
        ),
        ("an argument too much", vec!["inspect".as_ref(), "weights".as_ref(), named]),
        ("no such command", vec![named]),
        ("a toolkit", vec!["doctor".as_ref(), "--toolkit".as_ref(), named]),
    ] {
        let output = run(case, &here, &args, escaped);
        assert!(case == "a toolkit" || !output.status.success(), "{case}");
        // The error is one line, and the help another.
        let said = stderr(&output);
        assert!(said.lines().filter(|line| line.contains("forged")).count() <= 1, "{case}: {said}");
    }
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\x1b[31m\n::error::x");
    run("no UTF-8", &here, &["inspect".as_ref(), bytes], "\\u{1b}[31m\\n::error::x");
    // Strings of TOML are written as those of JSON.
    let quoted = autoneural::shown::in_json(&json!(HOSTILE).to_string());
    for (case, file, text) in [
        ("a key of a definition", "graph.toml", format!("{quoted} = 1\n")),
        ("a table of a recipe", "recipe/recipe.toml", format!("schema = 1\nname = {quoted}\n[{quoted}]\nx = 1\n")),
    ] {
        let before = bench.read(file);
        bench.write(file, text);
        let args = ["compile", "graph.toml", "--weights", "weights", "--calibration", "recipe/recipe.toml"];
        let more = ["--target", "sa8295p", "--out", "out/x", "--toolkit", "empty"];
        let output = run(case, &here, &words(&[&args[..], &more].concat()), "error: ");
        assert_eq!(output.status.code(), Some(3), "{case}: {}", stderr(&output));
        let json = run(case, &here, &words(&[&args[..], &more, &["--json"]].concat()), "");
        assert!(serde_json::from_str::<Value>(&stderr(&json)).is_ok(), "{case}: {}", stderr(&json));
        bench.write(file, before);
    }
}
