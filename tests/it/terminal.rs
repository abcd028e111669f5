//! Text of other people's files on a terminal and in the log of a CI: it stands for itself, and nothing obeys it.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use prost::Message;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

use crate::bad_input::Bench;
use crate::common::{demo_bundle, stderr, stdout, toolkit};
use crate::gate::accepted;
use crate::sealed::Sealed;

/// A name that sets the title of a terminal, colours it, rings, goes back in the line, ends it, begins commands of systems of CI,
/// and turns what follows around.
const HOSTILE: &str = "a\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}31m\rok\n::error file=x::forged\n  ::add-mask::x\n##[error]forged\n\
                       ##vso[task.complete result=Failed]\u{202e}\u{2066}\u{200f}\u{7f}\u{2028}b";

/// Nothing in a text is obeyed by a terminal or by a system of CI.
fn expect_harmless(case: &str, text: &str) {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let turned =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(obeyed) && !text.contains(turned), "{case}: {text:?}");
    for line in text.lines() {
        // GitHub leaves space at the beginning of a line out.
        assert!(!line.trim_start().starts_with("::"), "{case}: {line:?}");
        assert!(!["##[", "##vso[", "##teamcity["].iter().any(|mark| line.contains(mark)), "{case}: {line:?}");
    }
}

/// Runs the program in a bench with the word of a command line; both outputs are harmless, and say the name if it is `told`.
fn run(case: &str, here: &Path, args: &[&std::ffi::OsStr], told: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
    let output = command.args(args).current_dir(here).env_remove("COLUMNS").output().expect("the program starts");
    for text in [stdout(&output), stderr(&output)] {
        expect_harmless(case, &text);
    }
    let said = stdout(&output) + &stderr(&output);
    assert!(said.contains(told), "{case}: no `{told}` in {said}");
    output
}

fn words<'a>(args: &[&'a str]) -> Vec<&'a std::ffi::OsStr> {
    args.iter().copied().map(AsRef::as_ref).collect()
}

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

#[test]
fn bundles_of_other_people_are_shown_and_not_obeyed() {
    let sealed = Sealed::of(demo_bundle());
    sealed.edit("manifest.json", |manifest| {
        manifest["model"] = json!(HOSTILE);
        manifest["tool"]["version"] = json!(HOSTILE);
        manifest["toolkit"]["onnxruntime"] = json!(HOSTILE);
        manifest["stages"][0]["name"] = json!(HOSTILE);
        manifest["partitions"][0]["inputs"][0]["name"] = json!(HOSTILE);
        manifest["partitions"][0]["weights"] = json!(HOSTILE);
    });
    let toolkit = toolkit();
    let toolkit = toolkit.to_str().expect("UTF-8");
    let here = sealed.path("");
    run("inspect", &here, &words(&["inspect", "bundle"]), "\\u{1b}]0;title");
    let ask = ["run", "bundle", "--on", "npu", "--prompt", "Who?", "--max-tokens", "1", "--toolkit", toolkit];
    run("another toolkit", &here, &words(&ask), "the bundle was made with onnxruntime a\\u{1b}]0;title");
    // The gate of a bundle whose names are hostile; its own commands are the only ones.
    let sealed = accepted();
    sealed.edit("report.json", |report| report["failures"] = json!([HOSTILE]));
    let (status, said) = sealed.gate(&[]);
    expect_harmless("gate", &said);
    assert_eq!(status, 1, "{said}");
}

#[test]
fn answers_keep_their_lines_and_nothing_else() {
    let sealed = Sealed::of(demo_bundle());
    let toolkit = toolkit();
    let toolkit = toolkit.to_str().expect("UTF-8");
    // Whatever the model says, each character of it becomes what is hostile.
    sealed.edit("model/tokenizer.json", |tokenizer| {
        let byte_level = tokenizer["decoder"].clone();
        let replace = json!({ "type": "Replace", "pattern": { "Regex": "[^\\n]" }, "content": format!("\t{HOSTILE}") });
        tokenizer["decoder"] = json!({ "type": "Sequence", "decoders": [byte_level, replace] });
    });
    let ask = ["run", "bundle", "--on", "simulated", "--prompt", "hi", "--max-tokens", "3", "--toolkit", toolkit];
    let here = sealed.path("");
    let output = run("an answer", &here, &words(&ask), "\ta\\u{1b}]0;title\\u{7}");
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("\n:\\:error file=x::forged\n  :\\:add-mask::x\n##\\[error]forged\n##\\vso[task"), "{said}");
    let output = run("as JSON", &here, &words(&[&ask[..], &["--json"]].concat()), "\\u001b]0;title");
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert!(value["answers"][0]["text"].as_str().expect("an answer").contains(HOSTILE), "JSON says it to the letter");
}
