//! One change makes many checks fail: the first is on top, and under it what follows.

use serde_json::{Value, json};

use super::{accepted, partition, scale_of, shift};
use crate::common::{demo_bundle, json as read_json, stdout};
use crate::sealed::Sealed;

/// Layers of vision in the graph's order, with the operators.
fn nodes(name: &str) -> Vec<(String, Vec<String>)> {
    let graph = read_json(&demo_bundle().join(format!("model/{name}.json")));
    let text = |value: &Value| value.as_str().expect("a name").to_string();
    let node =
        |node: &Value| (text(&node["name"]), node["inputs"].as_array().expect("names").iter().map(text).collect());
    graph["nodes"].as_array().expect("nodes").iter().map(node).collect()
}

/// A bundle whose layers were all measured, at 40 dB.
fn measured() -> Sealed {
    let sealed = Sealed::of(demo_bundle());
    sealed.edit("report.json", |report| {
        for name in ["vision", "language.prefill", "language.decode"] {
            let layer = |(name, _): &(String, Vec<String>)| {
                json!({ "name": name, "op": "", "sqnr_db": { "simulated": 45.0, "npu": 40.0 } })
            };
            partition(report, name)["layers"] = nodes(name).iter().map(layer).collect();
        }
    });
    sealed.accept();
    sealed
}

/// Lets a layer and all that read it get worse.
fn spoil(sealed: &Sealed, partition_name: &str, first: &str, db: f64) -> usize {
    let mut spoiled = std::collections::BTreeSet::from([first.to_string()]);
    for (name, inputs) in nodes(partition_name) {
        if inputs.iter().any(|input| spoiled.contains(input)) {
            spoiled.insert(name);
        }
    }
    sealed.edit("report.json", |report| {
        for layer in partition(report, partition_name)["layers"].as_array_mut().expect("layers") {
            if spoiled.contains(layer["name"].as_str().expect("a name")) {
                layer["sqnr_db"]["npu"] = json!(db);
            }
        }
        shift(&mut partition(report, partition_name)["outputs"][0]["sqnr_db"]["npu"], -5.0);
    });
    spoiled.len()
}

fn judged(sealed: &Sealed) -> Value {
    let output = sealed.run(&["gate", "bundle", "--baseline", "quant-baseline.json", "--json"]);
    serde_json::from_str(&stdout(&output)).expect("JSON")
}

#[test]
fn the_first_layer_that_got_worse_is_on_top() {
    let sealed = measured();
    let spoiled = spoil(&sealed, "vision", "blocks.1.0.pw_exp.conv", 30.0);
    assert!(spoiled > 50, "{spoiled}");
    let (status, text) = sealed.gate(&[]);
    assert_eq!(status, 1);
    let worse: Vec<&str> =
        text.split("\n\n").find(|part| part.starts_with("worse:")).expect("a part").lines().collect();
    assert_eq!(
        worse[1],
        "  vision: blocks.1.0.pw_exp.conv: 30.00 dB on the NPU, worse by 10.00 dB than the baseline's 40.00; allowed: \
         2 dB, or at least 50 dB (layer-drop)"
    );
    // The layers but the first, and the output, which is a layer, too.
    let follow = format!("    {spoiled} more follow from it ({} of layers, 1 of outputs):", spoiled - 1);
    assert_eq!(worse[2], follow);
    assert_eq!(worse.len(), 7, "{text}");
    assert!(worse[6].trim_start().starts_with(&format!("and {} more (all with -v", spoiled - 3)), "{text}");
    assert_eq!(sealed.gate(&["-v"]).1.matches("(layer-drop)").count(), spoiled);
    let value = judged(&sealed);
    let causes = value["causes"].as_array().expect("causes");
    assert_eq!(causes.len(), 1);
    assert_eq!((&causes[0]["kind"], &causes[0]["place"]["name"]), (&json!("layer"), &json!("blocks.1.0.pw_exp.conv")));
    assert_eq!(causes[0]["follows"].as_array().expect("positions").len(), spoiled);

    // A second one that the first does not reach stands for itself.
    spoil(&sealed, "language.decode", "layers.0.conv.in_proj", 20.0);
    let value = judged(&sealed);
    let tops: Vec<&Value> =
        value["causes"].as_array().expect("causes").iter().map(|cause| &cause["place"]["name"]).collect();
    assert_eq!(tops.len(), 2, "{tops:?}");
    assert!(tops.contains(&&json!("layers.0.conv.in_proj")), "{tops:?}");
    // Every failed check stands in one cause, once.
    let checks = value["checks"].as_array().expect("checks");
    let failed: Vec<usize> = (0..checks.len()).filter(|&at| checks[at]["outcome"] == "failed").collect();
    let mut grouped: Vec<usize> = Vec::new();
    for cause in value["causes"].as_array().expect("causes") {
        let position = |value: &Value| value.as_u64().expect("a position") as usize;
        grouped.push(position(&cause["check"]));
        grouped.extend(cause["follows"].as_array().expect("positions").iter().map(position));
    }
    grouped.sort_unstable();
    assert_eq!(grouped, failed);
}

#[test]
fn all_forms_put_the_cause_first() {
    let sealed = measured();
    let spoiled = spoil(&sealed, "vision", "blocks.1.0.pw_exp.conv", 30.0);
    let forms = ["--junit", "gate.xml", "--sarif", "gate.sarif", "--markdown", "gate.md", "--github"];
    let (_, text) = sealed.gate(&forms);
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert!(
        errors[0].contains("title=layer-drop::vision: blocks.1.0.pw_exp.conv: 30.00 dB")
            && errors[0].contains(&format!("; {spoiled} more follow from it")),
        "{text}"
    );
    let markdown = sealed.text("gate.md");
    let (top, below) = (
        markdown.find("- **vision: blocks.1.0.pw").expect("a cause"),
        markdown.find("<details><summary>").expect("a part"),
    );
    assert!(
        top < below && markdown[below..].starts_with(&format!("<details><summary>{spoiled} more follow from it (")),
        "{markdown}"
    );
    let results = read_json(&sealed.path("gate.sarif"))["runs"][0]["results"].clone();
    assert!(
        results[0]["message"]["text"].as_str().expect("text").starts_with("vision: blocks.1.0.pw_exp.conv: 30.00 dB")
    );
    assert_eq!(results[0]["properties"]["follow"], spoiled);
    let from = results[1]["properties"]["followsFrom"].as_str().expect("text");
    assert!(from.starts_with("vision: blocks.1.0.pw_exp.conv: "), "{from}");
    let xml = sealed.text("gate.xml");
    assert_eq!(xml.matches(">follows from vision: blocks.1.0.pw_exp.conv: ").count(), spoiled);
    assert_eq!(xml.matches(&format!(">{spoiled} more follow from it")).count(), 1);
}

#[test]
fn what_was_changed_is_on_top_of_what_it_does() {
    // Fewer bits of a weight: the layer that reads it and all behind it follow, what lies before it does not.
    let fewer = |sealed: &Sealed, partition: &str, tensor: &str| {
        sealed.edit(&format!("encodings/{partition}.json"), |encodings| {
            let entry = scale_of(encodings, "param_encodings", tensor);
            entry["bw"] = json!(4);
            entry["offset"].as_array_mut().expect("offsets").iter_mut().for_each(|offset| *offset = json!(-8));
        });
    };
    let sealed = measured();
    fewer(&sealed, "vision", "blocks.1.0.pw_exp.conv.weight");
    let spoiled = spoil(&sealed, "vision", "blocks.1.0.pw_exp.conv", 30.0);
    sealed.edit("report.json", |report| shift(&mut report["chain"]["logits_sqnr_db"]["npu"], -3.0));
    let value = judged(&sealed);
    let causes = value["causes"].as_array().expect("causes");
    assert_eq!((causes.len(), &causes[0]["kind"]), (1, &json!("graph")), "{causes:?}");
    assert_eq!(causes[0]["message"], "other integers: blocks.1.0.pw_exp.conv.weight is int4, int8 in the baseline");
    // All layers, the output, the sequences.
    assert_eq!(causes[0]["follows"].as_array().expect("positions").len(), spoiled + 2);
    let sealed = measured();
    fewer(&sealed, "vision", "blocks.2.0.pw_exp.conv.weight");
    spoil(&sealed, "vision", "blocks.1.0.pw_exp.conv", 30.0);
    let value = judged(&sealed);
    let tops: Vec<&Value> = value["causes"].as_array().expect("causes").iter().map(|cause| &cause["kind"]).collect();
    assert_eq!(tops, ["graph", "layer"]);

    // An encoding that moved, and what is behind it.
    let sealed = measured();
    let moved = |sealed: &Sealed, partition: &str, tensor: &str| {
        sealed.edit(&format!("encodings/{partition}.json"), |encodings| {
            let scale = &mut scale_of(encodings, "activation_encodings", tensor)["scale"][0];
            *scale = json!(scale.as_f64().expect("a scale") * 1.3);
        });
    };
    moved(&sealed, "vision", "blocks.1.0.pw_exp.conv");
    moved(&sealed, "vision", "blocks.1.0.dw_mid.conv");
    moved(&sealed, "projector", "linear_1");
    let spoiled = spoil(&sealed, "vision", "blocks.1.0.pw_exp.conv", 30.0);
    let value = judged(&sealed);
    let cause = &value["causes"].as_array().expect("causes")[0];
    assert_eq!((&cause["kind"], &cause["place"]["name"]), (&json!("encoding"), &json!("blocks.1.0.pw_exp.conv")));
    assert!(cause["message"].as_str().expect("text").contains("moved by "), "{cause}");
    // Ranges behind it are those of the projector, too.
    assert_eq!(cause["follows"].as_array().expect("positions").len(), spoiled + 2);
    assert_eq!(value["causes"].as_array().expect("causes").len(), 1);

    // Prefill and decode share their weights: one change, told once.
    let sealed = measured();
    for partition in ["language.prefill", "language.decode"] {
        sealed.edit(&format!("encodings/{partition}.json"), |encodings| {
            let entry = scale_of(encodings, "activation_encodings", "layers.0.conv.in_proj");
            entry["bw"] = json!(8);
            entry["offset"] = json!([-128]);
        });
        spoil(&sealed, partition, "layers.0.conv.in_proj", 30.0);
    }
    let value = judged(&sealed);
    let causes = value["causes"].as_array().expect("causes");
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert_eq!(causes[0]["place"]["partition"], "language.prefill");

    // Another toolkit explains what nothing else does, but is not certain to.
    let sealed = measured();
    sealed.edit("manifest.json", |manifest| manifest["toolkit"]["onnxruntime_qnn"] = json!("2.8.0"));
    let spoiled = spoil(&sealed, "vision", "blocks.1.0.pw_exp.conv", 30.0);
    let (_, text) = sealed.gate(&[]);
    let top = format!(
        "worse:\n  onnxruntime_qnn: version 2.8.0, 2.7.0 in the baseline (version)\n    {} more may follow from it (",
        spoiled + 1
    );
    assert!(text.contains(&top), "{text}");
    assert!(text.contains("\n      vision: blocks.1.0.pw_exp.conv: 30.00 dB"), "{text}");
}

#[test]
fn without_graphs_the_order_of_the_report_tells() {
    let sealed = accepted();
    sealed.edit("report.json", |report| {
        partition(report, "vision")["layers"] = json!([
            { "name": "z", "op": "", "sqnr_db": { "npu": 40.0 } },
            { "name": "b", "op": "", "sqnr_db": { "npu": 40.0 } },
            { "name": "a", "op": "", "sqnr_db": { "npu": 40.0 } },
        ]);
    });
    sealed.edit("manifest.json", |manifest| {
        manifest["files"].as_array_mut().expect("files").retain(|file| file["path"] != "model/vision.json");
    });
    sealed.accept();
    sealed.edit("report.json", |report| {
        for at in [1, 2] {
            partition(report, "vision")["layers"][at]["sqnr_db"]["npu"] = json!(30.0);
        }
    });
    let value = judged(&sealed);
    assert_eq!(value["causes"][0]["place"]["name"], "b", "{value}");
    assert_eq!(value["causes"][0]["follows"].as_array().expect("positions").len(), 1);
    // A graph that is damaged is told.
    let sealed = accepted();
    sealed.write("bundle/model/vision.json", "{}");
    sealed.seal("model/vision.json");
    let (status, text) = sealed.gate(&[]);
    assert!(status == 2 && text.contains("model/vision.json") && text.contains("missing field"), "{text}");
}

/// What a person sees of a regression, to the letter.
#[test]
fn the_summary_of_a_regression() {
    let sealed = measured();
    sealed.edit("report.json", |report| {
        partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"] = json!(35.0);
    });
    sealed.accept_loosened();
    spoil(&sealed, "vision", "msfa.pool", 30.0);
    sealed.edit("manifest.json", |manifest| manifest["tool"]["version"] = json!("9.9.9"));
    sealed.write(
        "gate.toml",
        "[[exception]]\nplace = \"projector: embeds\"\ncheck = \"sqnr-drop\"\nreason = \"on trial\"\nlast_day = \
         2026-07-01\n",
    );
    let (_, text) = sealed.gate(&["--thresholds", "gate.toml"]);
    let digest = text.split("(sha256 ").nth(1).and_then(|rest| rest.split(')').next()).expect("a digest").to_string();
    let version = format!("{} in the baseline", env!("CARGO_PKG_VERSION"));
    let text = text.replace(&digest, "DIGEST").replace(&version, "VERSION in the baseline");
    crate::common::assert_snapshot("gate.regression.txt", &text);
}
