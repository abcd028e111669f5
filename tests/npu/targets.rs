//! Target files on the vendor's engine: what they state is what it does, and what it does not do is found.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{autoneural, stderr, stdout, succeed, toolkit};

const VERIFICATION: i32 = 6;

/// Runs `target check`; gives its exit status, its findings, and what it says on standard error.
fn check(target: &str, more: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let toolkit = toolkit();
    let args = ["target", "check", target, "--json", "--toolkit", toolkit.to_str().expect("UTF-8")];
    let output = autoneural(&[&args[..], more].concat());
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let findings = report["findings"].as_array().expect("findings").clone();
    (output.status.code(), findings, stderr(&output))
}

fn find<'a>(findings: &'a [Value], operator: &str, statement: &str) -> &'a Value {
    let same = |finding: &&Value| finding["operator"] == operator && finding["statement"] == statement;
    findings.iter().find(same).unwrap_or_else(|| panic!("nothing about {operator}: {statement}"))
}

#[test]
fn every_statement_about_the_sa8295p_is_confirmed_or_said_to_be_untested() {
    let (status, findings, errors) = check("sa8295p", &[]);
    let of = |status: &str| -> Vec<String> {
        let with = findings.iter().filter(|finding| finding["status"] == status);
        with.map(|f| format!("{}: {}", f["operator"].as_str().unwrap(), f["statement"].as_str().unwrap())).collect()
    };
    assert_eq!((of("wrong"), status), (vec![], Some(0)), "{errors}");
    assert_eq!(of("untested"), ["[memory]: process_mib = 3584"]);
    assert!(of("confirmed").len() > 80, "{}", of("confirmed").len());
    for (operator, statement, floor) in [
        ("Conv", "takes uint16, weights int8 per channel, bias int32", 70.0),
        ("Conv", "takes uint16, weights int4 per channel, bias int32", 50.0),
        ("Conv", "multiplier_bits = 10", 70.0),
        ("MatMul", "takes uint16, weights int8 per channel", 75.0),
        ("MatMul", "takes uint16, weights int4 in blocks of 32", 75.0),
        ("Conv", "takes uint16, weights int4 in blocks of 128, bias int32", 75.0),
        ("MatMul", "takes uint16 x uint8 -> uint16", 45.0),
        ("RMSNormalization", "takes uint16, weights uint16 per tensor", 75.0),
        ("Sigmoid", "output_range = [0, 1]", 75.0),
    ] {
        let figure = find(&findings, operator, statement)["sqnr_db"].as_f64().expect("a figure");
        assert!(figure >= floor, "{operator}: {statement}: {figure} dB");
    }
    // A refusal is confirmed by what the compiler says, not by a figure.
    let refusal = find(&findings, "MatMul", "refuses weights int16 per channel");
    assert!(refusal["sqnr_db"].is_null(), "{refusal}");
    assert!(refusal["samples"][0]["refused"].is_string(), "{refusal}");
}

/// One false statement of each kind, and one that is true.
const FALSE: &str = r#"schema = 2
name = "false"
description = "An SA8295P that is not"

[soc]
soc_model = 39
htp_arch = 68
vtcm_mb = 8

[[operator]]
name = "MatMul"
activations = ["uint16", "uint8 x uint16 -> uint16", "uint16 x uint8 -> uint16"]
weights = ["int8 per channel", "int16 per channel", "int4 in blocks of 32"]
in_fp16 = [{ activations = "uint16 x uint8 -> uint16" }]
second_bits = 8
refused = [{ weights = "int4 per channel" }]
multiplier_bits = 12
sum_step = 128

[[operator]]
name = "Sigmoid"
activations = ["uint16"]
most_axes = 3
output_range = [0.0, 2.0]

[[operator]]
name = "Softmax"
activations = ["uint16"]
output_range = [0.0, 0.5]
last_axis_only = true
"#;

fn write(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("false.toml");
    std::fs::write(&path, text).expect("the file is written");
    path.to_str().expect("UTF-8").to_string()
}

#[test]
fn every_kind_of_false_statement_is_found() {
    let folder = TempDir::new().expect("a folder");
    let (status, findings, errors) = check(&write(&folder, FALSE), &[]);
    assert_eq!(status, Some(VERIFICATION), "{errors}");
    let error: Value = serde_json::from_str(&errors).expect("an error as JSON");
    let message = error["error"]["message"].as_str().expect("a message");
    assert!(message.contains("statements are wrong: MatMul: takes uint16, weights int16 per channel"), "{message}");
    for (operator, statement, wanted) in [
        ("MatMul", "takes uint16", "confirmed"),
        ("MatMul", "takes uint16, weights int16 per channel", "wrong"),
        ("MatMul", "takes uint16, weights int4 in blocks of 32", "confirmed"),
        // In fp16, and not stated as that; in integers, and stated as fp16.
        ("MatMul", "takes uint8 x uint16 -> uint16", "wrong"),
        ("MatMul", "takes uint16 x uint8 -> uint16", "wrong"),
        ("MatMul", "refuses weights int4 per channel", "wrong"),
        ("MatMul", "multiplier_bits = 12", "wrong"),
        ("MatMul", "sum_step = 128", "wrong"),
        ("Sigmoid", "output_range = [0, 2]", "wrong"),
        ("Sigmoid", "most_axes = 3", "wrong"),
        ("Softmax", "output_range = [0, 0.5]", "wrong"),
        ("Softmax", "last_axis_only", "wrong"),
    ] {
        let finding = find(&findings, operator, statement);
        assert_eq!(finding["status"], wanted, "{finding}");
        assert_eq!(finding["note"].is_string(), wanted == "wrong", "{finding}");
    }
}

#[test]
fn one_operator_can_be_checked_alone_and_always_gives_the_same() {
    let toolkit = toolkit();
    let args = ["target", "check", "sa8255p", "--operator", "Sigmoid", "--toolkit", toolkit.to_str().expect("UTF-8")];
    let first = succeed(&args);
    assert!(first.lines().nth(1).is_some_and(|line| line.starts_with("Sigmoid")), "{first}");
    assert!(first.contains("sa8255p: 3 confirmed, 0 wrong, 0 untested"), "{first}");
    assert_eq!(first, succeed(&args));
    let strict = [&args[..], &["--floor", "150"]].concat();
    let output = autoneural(&strict);
    assert_eq!(output.status.code(), Some(VERIFICATION), "{}", stderr(&output));
    assert!(stderr(&output).contains("dB is less than 150 dB"), "{}", stderr(&output));
}
