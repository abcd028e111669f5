//! `autoneural gate`: what a user and a system of CI see of it.

mod causes;
mod exceptions;
mod forms;
mod list;
mod regressions;
mod repeats;
mod unjudged;
mod updates;

use serde_json::{Value, json};

use crate::common::demo_bundle;
use crate::sealed::Sealed;

pub fn accepted() -> Sealed {
    let sealed = Sealed::of(demo_bundle());
    sealed.accept();
    sealed
}

pub fn partition<'a>(report: &'a mut Value, name: &str) -> &'a mut Value {
    let partitions = report["partitions"].as_array_mut().expect("partitions");
    partitions.iter_mut().find(|partition| partition["name"] == name).expect("the partition")
}

pub fn shift(value: &mut Value, by: f64) {
    *value = json!(value.as_f64().expect("a figure") + by);
}

pub fn scale_of<'a>(encodings: &'a mut Value, list: &str, name: &str) -> &'a mut Value {
    let entries = encodings[list].as_array_mut().expect("entries");
    entries.iter_mut().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

/// An evaluation, as `eval` writes it.
pub fn evaluation(exact: f64, perplexity: f64) -> Value {
    let total = json!({
        "questions": 100, "exact_match_percent": exact, "perplexity": perplexity,
        "token_agreement_percent": 99.0, "features_sqnr_db": 40.0, "logits_sqnr_db": 30.0,
    });
    let engine = json!({ "engine": "npu", "total": total, "uses": {}, "wrong": [] });
    json!([{ "set": "demo-eval", "blank": false, "questions": 100, "engines": [engine] }])
}

/// What a test does to a bundle.
pub type Change = fn(&Sealed);

/// A set of samples on the NPU with such figures: right classes, classes of float, SQNR of an output and of its worst
/// sample.
pub fn set(top1: f64, same: f64, [all, worst]: [f64; 2]) -> Value {
    let output = json!({
        "output": "vision/features", "sqnr_db": all, "worst_db": worst, "worst": "a.png", "percentile5_db": worst,
        "cosine": 0.999, "largest_difference": 0.1,
    });
    let classes = json!({ "top1_percent": top1, "top5_percent": 99.0, "agreement_percent": same });
    json!([{
        "set": "val", "samples": 50, "in_set": 50, "classes_of": "vision/features",
        "engines": [{ "engine": "npu", "classes": classes, "outputs": [output] }],
    }])
}

/// A bundle with all that can get worse.
pub fn whole() -> Sealed {
    let sealed = Sealed::of(demo_bundle());
    sealed.edit("report.json", |report| {
        report["evaluations"] = evaluation(95.0, 1.02);
        report["array_evaluations"] = set(80.0, 98.0, [40.0, 30.0]);
        partition(report, "vision")["layers"] = json!([
            { "name": "conv_stem.conv", "op": "Conv", "sqnr_db": { "simulated": 50.0, "npu": null }, "bits": "W8A16" },
            { "name": "blocks.0.0.act", "op": "Gelu", "sqnr_db": { "simulated": 48.0, "npu": 40.0 } },
        ]);
        partition(report, "language.decode")["outputs"][0]["rms_error_percent"]["npu"] = json!(50.0);
        report["chain"]["top1_agreement_percent"]["npu"] = json!(80.0);
    });
    sealed.accept();
    sealed
}

/// A name that every form would obey if it were not escaped.
pub const HOSTILE: &str = "</script><img src=x onerror=hacked()>\"'&]]>|`::error::\u{1b}[31m\r\nname\u{202e}%0A";

#[test]
fn a_bundle_passes_against_its_own_baseline() {
    let sealed = accepted();
    let (status, text) = sealed.gate(&[]);
    assert_eq!(status, 0, "{text}");
    assert!(text.starts_with("gate: passed: bundle (autoneural-random for sa8295p, recipe photos)"), "{text}");
    assert!(!text.contains("failed") && !text.contains("warning"), "{text}");
    assert_eq!(sealed.gate(&["-q"]), (0, String::new()));
    // The same bundle again changes nothing in the baseline.
    let before = sealed.text("quant-baseline.json");
    let (status, text) = sealed.gate(&["--update"]);
    assert_eq!((status, text.trim()), (0, "baseline: quant-baseline.json (the same figures)"));
    assert_eq!(sealed.text("quant-baseline.json"), before);
    // One entry a line, sorted, and small.
    assert!(before.len() < 100_000, "{}", before.len());
    assert!(before.lines().all(|line| line.len() < 200));
    let names: Vec<&str> = before.lines().filter(|line| line.contains(": \"uint16 ")).collect();
    assert!(names.len() > 500);
    assert!(before.contains("\n        \"features\": {\"rms_error_percent\":{\"npu\":"), "{before}");
}

#[test]
fn a_layer_that_is_still_good_has_not_got_worse() {
    let sealed = whole();
    let layer = |db: f64| {
        sealed.edit("report.json", |report| partition(report, "vision")["layers"][1]["sqnr_db"]["npu"] = json!(db));
    };
    layer(60.0);
    sealed.accept();
    for (db, status) in [(58.5, 0), (50.0, 0), (49.9, 1)] {
        layer(db);
        assert_eq!(sealed.gate(&[]).0, status, "{db} dB: {}", sealed.gate(&[]).1);
    }
    assert!(
        sealed
            .gate(&[])
            .1
            .contains("worse by 10.10 dB than the baseline's 60.00; allowed: 2 dB, or at least 50 dB (layer-drop)")
    );
    sealed.write("gate.toml", "[layers]\nenough_db = 45.0\n");
    assert_eq!(sealed.gate(&["--thresholds", "gate.toml"]).0, 0);
}
