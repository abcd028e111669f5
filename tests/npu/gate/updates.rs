//! `--update`: what a new baseline takes, keeps and refuses, and what is said about it.

use serde_json::{Value, json};

use super::{accepted, partition, scale_of, shift, whole};
use crate::common::{json as read_json, stdout};
use crate::sealed::Sealed;

fn npu(sealed: &Sealed, partition_name: &str, by: f64) {
    sealed.edit("report.json", |report| {
        shift(&mut partition(report, partition_name)["outputs"][0]["sqnr_db"]["npu"], by)
    });
}

fn accepted_npu(sealed: &Sealed) -> f64 {
    let baseline = read_json(&sealed.path("quant-baseline.json"));
    baseline["partitions"]["vision"]["outputs"]["features"]["sqnr_db"]["npu"].as_f64().expect("a figure")
}

#[test]
fn a_baseline_is_loosened_only_on_purpose() {
    let sealed = whole();
    let before = sealed.text("quant-baseline.json");
    npu(&sealed, "vision", -1.25);
    npu(&sealed, "projector", 1.0);
    let (status, text) = sealed.gate(&["--update"]);
    assert_eq!(status, 1);
    let refused = "baseline: quant-baseline.json was not written: figures are worse than the thresholds allow; \
             --loosen accepts them\n";
    assert!(
        text.starts_with(&format!(
            "{refused}  outputs: 1 worse than allowed, 1 better; farthest: vision: features: SQNR "
        )),
        "{text}"
    );
    assert!(
        text.contains(" dB on the NPU, worse by 1.250 dB than ") && text.contains("; at most 1 dB allowed\n"),
        "{text}"
    );
    assert_eq!(sealed.text("quant-baseline.json"), before);
    let (_, text) = sealed.gate(&["--update", "-v"]);
    assert!(
        text.contains("    better: projector: embeds: SQNR ") && text.contains(", better by 1.000 dB than "),
        "{text}"
    );
    let (status, text) = sealed.gate(&["--update", "--loosen"]);
    assert_eq!(status, 0);
    assert!(text.starts_with("baseline: quant-baseline.json (loosened)\n  outputs: 1 worse than allowed"), "{text}");
    assert_eq!(sealed.gate(&[]).0, 0);
    // Two lines of the file are others.
    let after = sealed.text("quant-baseline.json");
    assert_eq!(before.lines().zip(after.lines()).filter(|(a, b)| a != b).count(), 2);
    // Better figures need no leave; fewer bits and figures that are gone do.
    sealed.edit("report.json", |report| shift(&mut report["chain"]["logits_sqnr_db"]["npu"], 0.5));
    assert_eq!(sealed.gate(&["--update"]).0, 0);
    sealed.edit("report.json", |report| drop(report.as_object_mut().expect("an object").remove("evaluations")));
    let (status, text) = sealed.gate(&["--update"]);
    assert!(status == 1 && text.contains("100 of demo-eval on npu: not measured, "), "{text}");
    // The thresholds are those of judging.
    sealed.write("gate.toml", "[evaluation]\nrequired = false\n");
    let kept = sealed.text("quant-baseline.json");
    assert_eq!(sealed.gate(&["--update", "--thresholds", "gate.toml"]).0, 0);
    assert_eq!(sealed.text("quant-baseline.json"), kept);
    sealed.edit("encodings/vision.json", |encodings| {
        let entry = scale_of(encodings, "param_encodings", "blocks.0.0.conv_pwl.weight");
        entry["bw"] = json!(4);
        entry["offset"].as_array_mut().expect("offsets").iter_mut().for_each(|offset| *offset = json!(-8));
    });
    let (status, text) = sealed.gate(&["--update", "--thresholds", "gate.toml"]);
    assert!(status == 1 && text.contains("vision: blocks.0.0.conv_pwl.weight: int4, int8 before"), "{text}");
    // A broken baseline, or one of another model, is not written over.
    for text in ["{", &before.replacen("autoneural-random", "other", 1)] {
        sealed.write("quant-baseline.json", text);
        assert_eq!(sealed.gate(&["--update", "--loosen"]).0, 2);
        assert_eq!(sealed.text("quant-baseline.json"), text);
    }
}

/// What judging accepts is no reason to refuse, and is not written: a baseline does not follow a model downhill.
#[test]
fn updates_within_the_thresholds_do_not_add_up() {
    let sealed = accepted();
    let (before, figure) = (sealed.text("quant-baseline.json"), accepted_npu(&sealed));
    npu(&sealed, "vision", -0.003);
    assert_eq!(sealed.gate(&[]).0, 0);
    let (status, text) = sealed.gate(&["--update"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.starts_with("baseline: quant-baseline.json\n  outputs: 1 kept: vision: features: SQNR "), "{text}");
    assert!(
        text.contains("worse by 0.003 dB than ") && text.contains("\nkept: worse or moved within the thresholds"),
        "{text}"
    );
    assert_eq!(sealed.text("quant-baseline.json"), before);
    // Step by step: each is small, together they are not.
    for step in 1..=3 {
        npu(&sealed, "vision", -0.33);
        let judged = sealed.gate(&[]).0;
        assert_eq!((judged, sealed.gate(&["--update"]).0), (0, 0), "step {step}");
        assert_eq!(accepted_npu(&sealed), figure);
    }
    npu(&sealed, "vision", -0.33);
    assert_eq!((sealed.gate(&[]).0, sealed.gate(&["--update"]).0), (1, 1));
    // The same for encodings.
    let sealed = accepted();
    for (step, wanted) in [(1, 0), (2, 1)] {
        sealed.edit("encodings/vision.json", |encodings| {
            let scale = &mut scale_of(encodings, "activation_encodings", "blocks.0.0.act")["scale"][0];
            *scale = json!(scale.as_f64().expect("a scale") * 1.06);
        });
        assert_eq!(sealed.gate(&[]).0, wanted, "step {step}");
        let (status, text) = sealed.gate(&["--update"]);
        assert_eq!(status, 0, "{text}");
        let word = if step == 1 { "kept" } else { "changed" };
        assert!(text.contains(&format!("  encodings: 1 {word}: vision: blocks.0.0.act: moved by ")), "{text}");
    }
    assert_eq!(sealed.gate(&[]).0, 0);
    // With leave everything is as the bundle has it.
    let sealed = accepted();
    npu(&sealed, "vision", -0.5);
    let (status, text) = sealed.gate(&["--update", "--loosen"]);
    assert_eq!(status, 0);
    assert!(text.contains("(loosened)\n  outputs: 1 worse or moved within the thresholds: "), "{text}");
    assert!((accepted_npu(&sealed) - (figure - 0.5)).abs() < 1e-9);
}

/// An update refuses nothing that judging passes, whatever the thresholds and exceptions are.
#[test]
fn updates_are_judged_by_the_thresholds_and_exceptions_of_judging() {
    let sealed = accepted();
    let before = sealed.text("quant-baseline.json");
    npu(&sealed, "vision", -3.0);
    sealed.edit("report.json", |report| {
        let nodes = partition(report, "vision")["nodes"].as_u64().expect("nodes");
        partition(report, "vision")["npu_nodes"] = json!(nodes - 1);
        partition(report, "language.prefill")["outputs"].as_array_mut().expect("outputs").pop();
    });
    assert_eq!((sealed.gate(&[]).0, sealed.gate(&["--update"]).0), (1, 1));
    let exceptions = sealed.gate(&["--print-exceptions"]).1.replace("reason = \"\"", "reason = \"on trial\"");
    sealed.write("gate.toml", &exceptions);
    let with = |more: &[&str]| sealed.gate(&[&["--thresholds", "gate.toml"], more].concat());
    assert_eq!(with(&[]).0, 0);
    let (status, text) = with(&["--update"]);
    assert_eq!(status, 0, "{text}");
    // What is excepted until a day is not accepted for good.
    assert_eq!(sealed.text("quant-baseline.json"), before);
    assert_eq!((with(&[]).0, sealed.gate(&[]).0), (0, 1));
    sealed.write("gate.toml", "[outputs]\ndrop_db = 5.0\nrms_rise_points = 99.0\n");
    let sealed = accepted();
    npu(&sealed, "vision", -3.0);
    sealed.write("gate.toml", "[outputs]\ndrop_db = 5.0\nrms_rise_points = 99.0\n");
    assert_eq!(sealed.gate(&["--update", "--thresholds", "gate.toml"]).0, 0);
    assert_eq!(sealed.gate(&["--update"]).0, 1);
}

/// What is under an exception stays as it was in every respect, so that the bundle before it passes when it comes back.
#[test]
fn what_stands_beside_an_excepted_figure_is_not_taken() {
    let exceptions = |list: &[(&str, &str)]| -> String {
        let one = |(place, check): &(&str, &str)| {
            format!("[[exception]]\nplace = \"{place}\"\ncheck = \"{check}\"\nreason = \"x\"\nlast_day = 2030-01-01\n")
        };
        list.iter().map(one).collect()
    };
    let update = |sealed: &Sealed| {
        let (status, text) = sealed.gate(&["--update", "--thresholds", "gate.toml"]);
        assert_eq!(status, 0, "{text}");
        assert!(
            text.contains(" kept under an exception") && text.contains("\nkept under an exception: what "),
            "{text}"
        );
        assert!(!text.contains("within the thresholds"), "{text}");
    };
    // An output: what is simulated and the RMS error, better and worse.
    let sealed = whole();
    let before = sealed.text("quant-baseline.json");
    sealed.edit("report.json", |report| {
        let output = &mut partition(report, "vision")["outputs"][0];
        shift(&mut output["sqnr_db"]["npu"], -3.0);
        shift(&mut output["sqnr_db"]["simulated"], -5.0);
        shift(&mut output["rms_error_percent"]["simulated"], 1.5);
        output["rms_error_percent"]["npu"] =
            json!(output["rms_error_percent"]["npu"].as_f64().expect("a figure") / 2.0);
    });
    sealed.write("gate.toml", &exceptions(&[("vision: features", "sqnr-drop")]));
    update(&sealed);
    assert_eq!(sealed.text("quant-baseline.json"), before);
    // A partition: fewer bits, and with them a smaller binary and scales that are others.
    let sealed = whole();
    let good = Sealed::of(&sealed.path("bundle"));
    sealed.edit("encodings/vision.json", |encodings| {
        let entry = scale_of(encodings, "param_encodings", "blocks.0.0.conv_pwl.weight");
        entry["bw"] = json!(4);
        entry["offset"].as_array_mut().expect("offsets").iter_mut().for_each(|offset| *offset = json!(-8));
    });
    sealed.edit("report.json", |report| {
        let vision = partition(report, "vision");
        vision["binary_bytes"] = json!(vision["binary_bytes"].as_u64().expect("bytes") / 2);
        shift(&mut vision["layers"][1]["sqnr_db"]["npu"], 5.0);
        let device = &mut report["sizes"]["device"]["total_bytes"];
        *device = json!(device.as_u64().expect("bytes") - 100_000);
        shift(&mut report["chain"]["logits_sqnr_db"]["npu"], 3.0);
    });
    sealed.write("gate.toml", &exceptions(&[("vision*", "graph-changed")]));
    assert_eq!(sealed.gate(&["--thresholds", "gate.toml"]).0, 0, "{}", sealed.gate(&["--thresholds", "gate.toml"]).1);
    update(&sealed);
    assert_eq!(sealed.text("quant-baseline.json"), before);
    good.write("quant-baseline.json", &before);
    assert_eq!(good.gate(&[]).0, 0);
    // What no exception is for is refused all the same, and taken where it is better.
    sealed
        .edit("report.json", |report| shift(&mut partition(report, "projector")["outputs"][0]["sqnr_db"]["npu"], 2.0));
    update(&sealed);
    assert_ne!(sealed.text("quant-baseline.json"), before);
    npu(&sealed, "projector", -4.0);
    assert_eq!(sealed.gate(&["--update", "--thresholds", "gate.toml"]).0, 1);
}

/// Goals are accepted with the figures: a recipe that lowers one, or leaves it out, is no way through the gate.
#[test]
fn goals_are_part_of_the_baseline() {
    let sealed = accepted();
    assert!(!sealed.text("quant-baseline.json").contains("goals"), "the recipe states none");
    let goals = |goals: Value| sealed.edit("report.json", |report| report["goals"] = goals);
    let all = json!({
        "sqnr_db": { "*": 1.0, "vision/features": 5.0 }, "sequences": { "logits_sqnr_db": 2.0 },
        "evaluation": { "set": "demo-eval", "exact_match_loss_points": 1.0 },
    });
    goals(all.clone());
    // A baseline without goals holds none.
    assert!(!sealed.gate(&[]).1.contains("goal-loosened"), "{}", sealed.gate(&[]).1);
    let (status, text) = sealed.gate(&["--update"]);
    assert!(status == 0 && text.contains("  goals: ") && text.contains(" better"), "{text}");
    let kept = sealed.text("quant-baseline.json");
    assert!(kept.contains("\n    \"vision/features\": {\"output-sqnr\":5.0}"), "{kept}");
    for (key, value, told) in [
        ("sqnr_db", json!({ "*": 1.0 }), "vision: features: the goal for SQNR is 1 dB, 5 in the baseline"),
        ("sequences", Value::Null, "sequences: the goal for SQNR of logits is gone, 2 dB in the baseline"),
        (
            "evaluation",
            json!({ "set": "demo-eval", "exact_match_loss_points": 2.5 }),
            "demo-eval: the goal for exact match below float is 2.5 points, 1 in the baseline",
        ),
    ] {
        let mut lowered = all.clone();
        lowered[key] = value;
        lowered.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        goals(lowered);
        let (status, text) = sealed.gate(&["--github"]);
        assert!(status == 1 && text.contains(&format!("{told} (goal-loosened)")), "{text}");
        // The line of the goal in the baseline.
        let error = text.lines().find(|line| line.contains("title=goal-loosened")).expect("an error");
        let line: usize =
            error.split("line=").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok()).expect("a line");
        let of = ["vision/features", "sequences", "demo-eval"]
            .iter()
            .find(|of| kept.lines().nth(line - 1).expect("a line").contains(*of));
        assert!(of.is_some(), "{error}");
        let (status, text) = sealed.gate(&["--update"]);
        assert!(status == 1 && text.contains("was not written: goals of the recipe are looser; --loosen"), "{text}");
        assert!(text.contains(told), "{text}");
        assert_eq!(sealed.text("quant-baseline.json"), kept);
        let name = told.split(": the goal").next().expect("a place");
        sealed.write(
            "gate.toml",
            &format!(
                "[[exception]]\nplace = \"{name}\"\ncheck = \"goal-loosened\"\nreason = \"x\"\nlast_day = 2030-01-01\n"
            ),
        );
        assert_eq!(sealed.gate(&["--update", "--thresholds", "gate.toml"]).0, 0);
        assert_eq!(sealed.text("quant-baseline.json"), kept, "an exception does not lower it for good");
    }
    assert_eq!(sealed.gate(&["--update", "--loosen"]).0, 0);
    assert!(!sealed.gate(&[]).1.contains("goal-loosened"));
    assert_ne!(sealed.text("quant-baseline.json"), kept);
}

#[test]
fn an_update_is_told_in_about_ten_lines() {
    let sealed = whole();
    sealed.edit("report.json", |report| {
        for partition in report["partitions"].as_array_mut().expect("partitions") {
            for output in partition["outputs"].as_array_mut().expect("outputs") {
                shift(&mut output["sqnr_db"]["npu"], -2.0);
            }
            partition["binary_bytes"] = json!(partition["binary_bytes"].as_u64().expect("bytes") - 1);
        }
        partition(report, "vision")["layers"][0]["sqnr_db"]["simulated"] = json!(51.5);
        report["chain"]["logits_sqnr_db"]["npu"] = json!(99.0);
        report["evaluations"] = super::evaluation(94.5, 1.01);
    });
    for name in ["vision", "language.decode"] {
        sealed.edit(&format!("encodings/{name}.json"), |encodings| {
            for entry in encodings["activation_encodings"].as_array_mut().expect("entries") {
                entry["scale"][0] = json!(entry["scale"][0].as_f64().expect("a scale") * 1.3);
            }
        });
    }
    sealed.edit("manifest.json", |manifest| manifest["toolkit"]["onnxruntime_qnn"] = json!("2.8.0"));
    let (status, text) = sealed.gate(&["--update"]);
    assert_eq!(status, 1);
    assert!((8..=11).contains(&text.lines().count()), "{text}");
    let kinds: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  ")?.split(':').next()).collect();
    assert_eq!(kinds, ["outputs", "layers", "sequences", "evaluations", "encodings", "sizes", "versions"]);
    assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
    assert!(text.contains("onnxruntime_qnn: version 2.8.0, 2.7.0 before"), "{text}");
    assert!(sealed.gate(&["--update", "-v"]).1.lines().count() > 100);
    let output = sealed.run(&["gate", "bundle", "--baseline", "quant-baseline.json", "--update", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(value["written"], false);
    let changes = &value["changes"];
    assert!(changes["looser"].as_array().expect("a list").iter().all(|change| change["group"] == "outputs"));
    let others = changes["others"].as_array().expect("a list");
    assert!(others.iter().filter(|change| change["group"] == "encodings").count() > 100);
    // The farthest first.
    let moved: Vec<&str> = others.iter().filter_map(|change| change["message"].as_str()).collect();
    assert!(moved[0].starts_with("moved by "), "{moved:?}");
}
