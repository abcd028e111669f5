//! Text of other people's bundles and answers of models on a terminal: they stand for themselves, and nothing obeys
//! them.

use serde_json::{Value, json};

use crate::common::terminal::{HOSTILE, expect_harmless, run, words};
use crate::common::{demo_bundle, stderr, stdout, toolkit};
use crate::gate::accepted;
use crate::sealed::Sealed;

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
