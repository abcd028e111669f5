//! `autoneural gate`: what a user and a system of CI see of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{GRAPH, RECIPE, WEIGHTS, copy, demo_bundle, root, stderr, stdout, toolkit};
use crate::pipeline::json as read_json;
use crate::sealed::{Sealed, project};

fn accepted() -> Sealed {
    let sealed = Sealed::of(demo_bundle());
    sealed.accept();
    sealed
}

fn partition<'a>(report: &'a mut Value, name: &str) -> &'a mut Value {
    let partitions = report["partitions"].as_array_mut().expect("partitions");
    partitions.iter_mut().find(|partition| partition["name"] == name).expect("the partition")
}

fn shift(value: &mut Value, by: f64) {
    *value = json!(value.as_f64().expect("a figure") + by);
}

fn scale_of<'a>(encodings: &'a mut Value, list: &str, name: &str) -> &'a mut Value {
    let entries = encodings[list].as_array_mut().expect("entries");
    entries.iter_mut().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

/// An evaluation, as `eval` writes it.
fn evaluation(exact: f64, perplexity: f64) -> Value {
    let total = json!({
        "questions": 100, "exact_match_percent": exact, "perplexity": perplexity,
        "token_agreement_percent": 99.0, "features_sqnr_db": 40.0, "logits_sqnr_db": 30.0,
    });
    let engine = json!({ "engine": "npu", "total": total, "uses": {}, "wrong": [] });
    json!([{ "set": "demo-eval", "blank": false, "questions": 100, "engines": [engine] }])
}

#[test]
fn a_bundle_passes_against_its_own_baseline_and_stays_quiet() {
    let sealed = accepted();
    for _ in 0..20 {
        let begun = Instant::now();
        let (status, text) = sealed.gate(&[]);
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert_eq!(status, 0, "{text}");
        assert!(text.starts_with("gate: passed: bundle (autoneural-random for sa8295p, recipe photos)"), "{text}");
        assert!(!text.contains("failed") && !text.contains("warning"), "{text}");
    }
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

type Change = fn(&Sealed);

/// What is changed, by whom it is found, and what is said about it.
const REGRESSIONS: &[(&str, Change, &[&str])] = &[
    (
        "SQNR of an output",
        |sealed| {
            sealed.edit("report.json", |report| {
                shift(&mut partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"], -3.0)
            })
        },
        &[
            "vision: features: ",
            " dB on the NPU, 3.00 dB less than the baseline's ",
            "at most 0.5 dB allowed (sqnr-drop)",
        ],
    ),
    (
        "SQNR below the floor",
        |sealed| {
            sealed.edit("report.json", |report| {
                partition(report, "projector")["outputs"][0]["sqnr_db"]["npu"] = json!(2.5)
            })
        },
        &["projector: embeds: 2.50 dB on the NPU is less than 3 dB, the least that is allowed (sqnr-floor)"],
    ),
    (
        "RMS error",
        |sealed| {
            sealed.edit("report.json", |report| {
                shift(&mut partition(report, "language.decode")["outputs"][0]["rms_error_percent"]["npu"], 5.0)
            })
        },
        &["language.decode: logits: ", " % RMS error, 5.000 points more than", "(rms-error)"],
    ),
    (
        "SQNR of sequences",
        |sealed| sealed.edit("report.json", |report| shift(&mut report["chain"]["logits_sqnr_db"]["npu"], -1.0)),
        &["sequences: ", "1.00 dB less than", "(chain-sqnr)"],
    ),
    (
        "tokens of sequences",
        |sealed| {
            sealed.edit("report.json", |report| shift(&mut report["chain"]["top1_agreement_percent"]["npu"], -10.0))
        },
        &["sequences: ", " % of steps with the token of float, 10.00 points less", "(chain-tokens)"],
    ),
    (
        "accuracy",
        |sealed| sealed.edit("report.json", |report| report["evaluations"] = evaluation(93.0, 1.02)),
        &["100 of demo-eval on npu: 93.00 % exact answers, 2.00 points less than the baseline's 95.00", "(accuracy)"],
    ),
    (
        "perplexity",
        |sealed| sealed.edit("report.json", |report| report["evaluations"] = evaluation(95.0, 1.07)),
        &["100 of demo-eval on npu: 1.0700 perplexity, 4.90 % more than the baseline's 1.0200", "(perplexity)"],
    ),
    (
        "a node on the CPU",
        |sealed| {
            sealed.edit("report.json", |report| {
                let nodes = partition(report, "vision")["nodes"].as_u64().expect("nodes");
                partition(report, "vision")["npu_nodes"] = json!(nodes - 1);
            })
        },
        &["vision: 1 of ", " nodes are outside the NPU; 0 in the baseline, at most 0 allowed (nodes-outside-npu)"],
    ),
    (
        "a larger binary",
        |sealed| {
            sealed.edit("report.json", |report| {
                let bytes = partition(report, "projector")["binary_bytes"].as_u64().expect("bytes");
                partition(report, "projector")["binary_bytes"] = json!(bytes + bytes / 10);
            })
        },
        &["projector: ", " bytes, 10.00 % more than the baseline's ", "(binary-size)"],
    ),
    (
        "larger buffers",
        |sealed| {
            sealed.edit("report.json", |report| {
                let bytes = report["sizes"]["partitions"][0]["output_bytes"].as_u64().expect("bytes");
                report["sizes"]["partitions"][0]["output_bytes"] = json!(2 * bytes);
            })
        },
        &["vision: ", "(buffer-size)"],
    ),
    (
        "more for a device to hold",
        |sealed| {
            sealed.edit("report.json", |report| {
                let bytes = report["sizes"]["device"]["total_bytes"].as_u64().expect("bytes");
                report["sizes"]["device"]["total_bytes"] = json!(bytes + bytes / 20);
            })
        },
        &["device: ", "5.00 % more", "(device-size)"],
    ),
    (
        "a range that moved",
        |sealed| {
            sealed.edit("encodings/vision.json", |encodings| {
                let scale = &mut scale_of(encodings, "activation_encodings", "blocks.0.0.act")["scale"][0];
                *scale = json!(scale.as_f64().expect("a scale") * 1.3);
            })
        },
        &["vision: blocks.0.0.act: blocks.0.0.act moved by ", "uint16 ", "(activations-moved)"],
    ),
    (
        "weights of another scale",
        |sealed| {
            sealed.edit("encodings/vision.json", |encodings| {
                let entry = scale_of(encodings, "param_encodings", "blocks.0.0.conv_pwl.weight");
                entry["scale"].as_array_mut().expect("scales").iter_mut().for_each(|scale| {
                    *scale = json!(scale.as_f64().expect("a scale") * 1.1);
                });
            })
        },
        &["vision: blocks.0.0.conv_pwl.weight: ", "moved by 10", "int8 x", "(constants-moved)"],
    ),
    (
        "fewer bits",
        |sealed| {
            sealed.edit("encodings/vision.json", |encodings| {
                let entry = scale_of(encodings, "param_encodings", "blocks.0.0.conv_pwl.weight");
                entry["bw"] = json!(4);
                entry["offset"].as_array_mut().expect("offsets").iter_mut().for_each(|offset| *offset = json!(-8));
            })
        },
        &["vision: other integers: blocks.0.0.conv_pwl.weight is int4, int8 in the baseline (graph-changed)"],
    ),
    (
        "a norm spelled out again",
        |sealed| {
            sealed.edit("encodings/vision.json", |encodings| {
                let list = encodings["activation_encodings"].as_array_mut().expect("entries");
                let mut entry = list[0].clone();
                entry["name"] = json!("msfa.norm.square");
                list.push(entry);
            });
            sealed.edit("report.json", |report| {
                let nodes = partition(report, "vision")["nodes"].as_u64().expect("nodes") + 4;
                partition(report, "vision")["nodes"] = json!(nodes);
                partition(report, "vision")["npu_nodes"] = json!(nodes);
            });
        },
        &["vision: 1 activation is new (msfa.norm.square); ", " nodes, ", "(graph-changed)"],
    ),
    (
        "an output that is gone",
        |sealed| {
            sealed.edit("report.json", |report| {
                partition(report, "language.prefill")["outputs"].as_array_mut().expect("outputs").pop();
            })
        },
        &["language.prefill: 1 output is gone (layers.", "(graph-changed)"],
    ),
    (
        "a partition that is gone",
        |sealed| {
            sealed.edit("report.json", |report| {
                report["partitions"].as_array_mut().expect("partitions").remove(1);
            })
        },
        &["partitions: 1 partition is gone (projector) (graph-changed)"],
    ),
    (
        "another toolkit",
        |sealed| sealed.edit("manifest.json", |manifest| manifest["toolkit"]["onnxruntime_qnn"] = json!("2.8.0")),
        &["onnxruntime_qnn: version 2.8.0, 2.7.0 in the baseline (version)"],
    ),
    (
        "demands that were not met",
        |sealed| {
            sealed
                .edit("report.json", |report| report["failures"] = json!(["vision: features: 3 dB is less than 4 dB"]))
        },
        &["bundle: vision: features: 3 dB is less than 4 dB (demands)"],
    ),
    (
        "a layer",
        |sealed| {
            sealed.edit("report.json", |report| {
                shift(&mut partition(report, "vision")["layers"][1]["sqnr_db"]["npu"], -4.0)
            })
        },
        &["vision: blocks.0.0.act: 36.00 dB on the NPU, 4.00 dB less than the baseline's 40.00", "(layer-drop)"],
    ),
    (
        "a layer that was only simulated",
        |sealed| {
            sealed.edit("report.json", |report| {
                partition(report, "vision")["layers"][0]["sqnr_db"]["simulated"] = json!(-3.0)
            })
        },
        &[
            "vision: conv_stem.conv: -3.00 dB simulated, 53.00 dB less than the baseline's 50.00",
            "(layer-drop)",
            "(layer-floor)",
        ],
    ),
];

/// A bundle with all that can get worse.
fn whole() -> Sealed {
    let sealed = Sealed::of(demo_bundle());
    sealed.edit("report.json", |report| {
        report["evaluations"] = evaluation(95.0, 1.02);
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

#[test]
fn every_kind_of_regression_is_caught_where_it_is() {
    let clean = whole();
    assert_eq!(clean.gate(&[]).0, 0, "{}", clean.gate(&[]).1);
    for (what, change, wanted) in REGRESSIONS {
        let sealed = Sealed::of(&clean.path("bundle"));
        std::fs::copy(clean.path("quant-baseline.json"), sealed.path("quant-baseline.json")).expect("copied");
        change(&sealed);
        let (status, text) = sealed.gate(&[]);
        assert_eq!(status, 1, "{what}: {text}");
        assert!(text.starts_with("gate: regression: bundle (autoneural-random for sa8295p"), "{what}: {text}");
        for part in *wanted {
            assert!(text.contains(part), "{what}: no `{part}` in\n{text}");
        }
    }
}

/// Compiled bundles, not edited ones: each is caught in the layer where it was done.
#[test]
fn real_regressions_are_caught() {
    let sealed = accepted();
    let weights = sealed.path("weights");
    copy(&root(WEIGHTS), &weights);
    copy(&root("calibration/photos"), &sealed.path("photos"));
    let recipe = std::fs::read_to_string(root(RECIPE)).expect("the recipe");
    let toolkit = toolkit();
    let compile = |weights: &str, recipe: &str| {
        sealed.write("recipe.toml", recipe);
        let graph = project(GRAPH);
        let args =
            ["compile", &graph, "--weights", weights, "--calibration", "recipe.toml", "--target", "sa8295p", "--out"];
        let more =
            ["bundle", "--require-npu", "-q", "--max-difference", "100", "--toolkit", toolkit.to_str().expect("UTF-8")];
        let output = sealed.run(&[&args[..], &more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        sealed.gate(&[])
    };
    let original = project(WEIGHTS);
    // Without a change, a second compilation passes.
    let (status, text) = compile(&original, &recipe);
    assert_eq!(status, 0, "{text}");

    let override_ = "[[override]]\ntensor = \"blocks.1.0.pw_exp.conv.weight\"\ntype = \"int4\"\n";
    let (status, text) = compile(&original, &format!("{recipe}\n{override_}"));
    assert_eq!(status, 1, "{text}");
    let found = "blocks.1.0.pw_exp.conv.weight is int4, int8 in the baseline (graph-changed)";
    assert!(text.contains(found) && text.contains("settings: others than in the baseline"), "{text}");

    let mut chunks: Vec<&str> = recipe.split("\n\n").collect();
    let mut images = 0;
    chunks.retain(|chunk| {
        let is_sample = chunk.starts_with("[[calibration]]");
        images += usize::from(is_sample);
        !is_sample || images == 1
    });
    let (status, text) = compile(&original, &chunks.join("\n\n"));
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("(activations-moved)") && text.contains("the worst of "), "{text}");

    // Twice the weights of one layer.
    let file = weights.join("model.safetensors");
    let mut bytes = std::fs::read(&file).expect("the weights");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    let tensor = &header["model.vision_tower.timm_model.blocks.1.0.pw_exp.conv.weight"];
    assert_eq!(tensor["dtype"], "BF16");
    let at = |index: usize| 8 + length + tensor["data_offsets"][index].as_u64().expect("an offset") as usize;
    for two in bytes[at(0)..at(1)].chunks_exact_mut(2) {
        let bits = u16::from_le_bytes([two[0], two[1]]);
        // One more in the exponent.
        let doubled = if bits & 0x7fff == 0 { bits } else { bits + 0x80 };
        two.copy_from_slice(&doubled.to_le_bytes());
    }
    std::fs::write(&file, bytes).expect("written");
    let (status, text) = compile(weights.to_str().expect("UTF-8"), &recipe);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("vision: blocks.1.0.pw_exp.conv.weight: ") && text.contains("(constants-moved)"), "{text}");
    assert!(text.contains("weights: others than in the baseline: model/vision.data"), "{text}");
}

#[test]
fn what_cannot_be_judged_says_why_in_one_line() {
    let clean = whole();
    let baseline = clean.text("quant-baseline.json");
    let cut = &baseline[..baseline.len() / 2];
    let replaced = |from: &str, to: &str| {
        assert!(baseline.contains(from), "{from}");
        baseline.replacen(from, to, 1)
    };
    let twice = replaced(
        "    \"vision\": {\n",
        "    \"vision\": {\"weights\": \"\", \"nodes\": 1, \"npu_nodes\": null, \"binary_bytes\": null, \"buffer_bytes\": null, \"outputs\": {}, \"activations\": {}, \"constants\": {}},\n    \"vision\": {\n",
    );
    let baselines: &[(&str, &str)] = &[
        ("", "EOF"),
        (cut, "is no baseline"),
        ("{}", "missing field `schema`"),
        ("[1, 2]", "is no baseline"),
        (&replaced("\"schema\": 1", "\"schema\": 7"), "is of schema 7; this version reads schema 1"),
        (
            &replaced("\"model\": \"autoneural-random\"", "\"model\": \"other\""),
            "is of another model: other, the bundle has autoneural-random",
        ),
        (&replaced("\"target\": \"sa8295p\"", "\"target\": \"sm8750\""), "is of another target: sm8750"),
        (&replaced("\"recipe\": \"photos\"", "\"recipe\": \"demo\""), "is of another recipe: demo"),
        (&replaced("\"decode_steps\": 8", "\"decode_steps\": 9"), "is of another number of verification samples"),
        (&replaced("\"accuracy_percent\":95.0", "\"accuracy_percent\":950.0"), "accuracy 950"),
        (&replaced("\"accuracy_percent\":95.0", "\"accuracy_percent\":1e999"), "number out of range"),
        (&replaced("\"accuracy_percent\":95.0", "\"accuracy_percent\":\"many\""), "invalid type"),
        (&replaced("\"uint16 0..", "\"uint17 0.."), "is no integer type"),
        (&replaced("\"uint16 0..", "\"uint16 5.."), "is an impossible range"),
        (&replaced("\"nodes\": ", "\"knots\": "), "unknown field `knots`"),
        (&twice, "`vision` stands twice"),
    ];
    let check = |args: &[&str], wanted: &str| {
        let output = clean.run(args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{wanted}: {said}{}", stdout(&output));
        assert!(said.contains(wanted), "no `{wanted}` in {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(output.stdout.is_empty(), "{}", stdout(&output));
    };
    for (text, wanted) in baselines {
        clean.write("other.json", text);
        check(&["gate", "bundle", "--baseline", "other.json"], wanted);
    }
    for (text, wanted) in [
        ("nonsense", "gate.toml:1"),
        ("[outputs]\ndrop = 1.0\n", "unknown field `drop`"),
        ("[outputs]\ndrop_db = -1.0\n", "outputs.drop_db: -1 is impossible"),
        ("[outputs]\nfloor_db = nan\n", "outputs.floor_db: NaN is impossible"),
        ("schema = 2\n", "schema 2 is not known"),
        ("[changes]\ntoolkit = \"maybe\"\n", "maybe"),
        (
            "[[override]]\nmatch = \"*\"\ncheck = \"sqnr-drop\"\nlimit = 1.0\nexpires = 2027-01-01\n",
            "missing field `reason`",
        ),
        (
            "[[override]]\nmatch = \"*\"\ncheck = \"sqnr-drop\"\nlimit = 1.0\nreason = \"\"\nexpires = 2027-01-01\n",
            "`reason` is empty",
        ),
        (
            "[[override]]\nmatch = \"*\"\ncheck = \"sqnr-drop\"\nlimit = 1.0\nreason = \"x\"\nexpires = 10:00:00\n",
            "`expires` has no date",
        ),
        (
            "[[override]]\nmatch = \"*\"\ncheck = \"sqnr\"\nlimit = 1.0\nreason = \"x\"\nexpires = 2027-01-01\n",
            "`sqnr` is the name of no check",
        ),
    ] {
        clean.write("gate.toml", text);
        check(&["gate", "bundle", "--baseline", "quant-baseline.json", "--thresholds", "gate.toml"], wanted);
    }
    check(&["gate", "bundle", "--baseline", "none.json"], "none.json: there is no baseline; --update writes one");
    check(&["gate", "none", "--baseline", "quant-baseline.json"], "none: is no bundle");
    check(&["gate", "bundle", "--baseline", "bundle"], "is a folder");
    // Wrong usage is the argument parser's, with the same status.
    for args in
        [&["gate", "bundle"][..], &["gate", "--baseline", "x"], &["gate", "bundle", "--baseline", "x", "--loosen"]]
    {
        assert_eq!(clean.run(args).status.code(), Some(2));
    }
}

#[test]
fn bundles_that_cannot_be_judged_say_why() {
    let clean = whole();
    let again = || {
        let sealed = Sealed::of(&clean.path("bundle"));
        std::fs::copy(clean.path("quant-baseline.json"), sealed.path("quant-baseline.json")).expect("copied");
        sealed
    };
    let cases: &[(Change, &str)] = &[
        (|s| s.write("bundle/report.json", &s.text("bundle/report.json")[..500]), "bytes, the manifest says"),
        // Edited by hand, with as many bytes.
        (
            |s| {
                s.write(
                    "bundle/report.json",
                    &s.text("bundle/report.json")
                        .replacen("\"npu\": 1", "\"npu\": 9", 1)
                        .replacen("\"npu\": 2", "\"npu\": 9", 1)
                        .replacen("\"npu\": 3", "\"npu\": 9", 1)
                        .replacen("\"npu\": 4", "\"npu\": 9", 1),
                )
            },
            "is not the file that was written",
        ),
        (
            |s| {
                s.write("bundle/report.json", &s.text("bundle/report.json")[..500]);
                s.seal("report.json")
            },
            "EOF",
        ),
        (|s| s.edit("report.json", |r| r["schema"] = json!(1)), "is of schema 1; this version reads schema 2"),
        (
            |s| s.edit("report.json", |r| r["model"] = json!("other")),
            "is of other for sa8295p, the bundle of autoneural-random",
        ),
        (
            |s| s.edit("report.json", |r| partition(r, "vision")["outputs"][0]["sqnr_db"]["npu"] = json!(1e9)),
            "which is impossible",
        ),
        (|s| s.edit("report.json", |r| partition(r, "vision")["npu_nodes"] = json!(100_000)), "says that 100000 of "),
        (
            |s| s.edit("report.json", |r| partition(r, "projector")["name"] = json!("vision")),
            "has the partition `vision` twice",
        ),
        (
            |s| s.edit("report.json", |r| partition(r, "projector")["name"] = json!("../x")),
            "of which the bundle has no encodings",
        ),
        (
            |s| {
                s.edit("encodings/vision.json", |e| {
                    scale_of(e, "activation_encodings", "blocks.0.0.act")["scale"][0] = json!(-1.0)
                })
            },
            "scale -1 is impossible",
        ),
        (
            |s| {
                s.edit("manifest.json", |m| {
                    m["stages"].as_array_mut().expect("stages").retain(|stage| stage["name"] != "verify")
                })
            },
            "was never verified",
        ),
        (|s| s.edit("manifest.json", |m| m["schema"] = json!(9)), "is of schema 9"),
    ];
    for (change, wanted) in cases {
        let sealed = again();
        change(&sealed);
        let (status, text) = sealed.gate(&[]);
        assert_eq!(status, 2, "{wanted}: {text}");
        assert!(text.contains(wanted), "no `{wanted}` in {text}");
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    }
    // What was not measured is told check by check.
    let unmeasured: &[(Change, &[&str])] = &[
        (
            |s| s.edit("report.json", |r| partition(r, "vision")["outputs"][0]["sqnr_db"]["npu"] = Value::Null),
            &["vision: features: was not measured on the NPU"],
        ),
        (
            |s| s.edit("report.json", |r| drop(r.as_object_mut().expect("an object").remove("evaluations"))),
            &["100 of demo-eval on npu: was not measured; the baseline has 95.00 % exact answers"],
        ),
        (
            |s| s.edit("report.json", |r| partition(r, "vision")["layers"] = json!([])),
            &["vision: no layer was measured; the baseline has 2"],
        ),
        (
            |s| s.edit("report.json", |r| partition(r, "vision")["npu_nodes"] = Value::Null),
            &["vision: has no context binary"],
        ),
    ];
    for (change, wanted) in unmeasured {
        let sealed = again();
        change(&sealed);
        let (status, text) = sealed.gate(&[]);
        assert_eq!(status, 2, "{text}");
        assert!(text.starts_with("gate: could not be judged: ") && text.contains("\nnot judged:\n"), "{text}");
        wanted.iter().for_each(|wanted| assert!(text.contains(wanted), "no `{wanted}` in {text}"));
    }
}

#[test]
fn exceptions_hold_until_their_day_is_over() {
    let sealed = accepted();
    sealed.edit("report.json", |report| shift(&mut partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"], -1.5));
    let thresholds = |place: &str, expires: &str| {
        let text = format!(
            "[[override]]\nmatch = \"{place}\"\ncheck = \"sqnr-drop\"\nlimit = 2.0\nreason = \"a new stem\"\nexpires = {expires}\n"
        );
        sealed.write("gate.toml", &text);
        sealed.gate(&["--thresholds", "gate.toml"])
    };
    // The day of the tests is 2026-06-15.
    for expires in ["2026-06-15", "2030-01-01"] {
        let (status, text) = thresholds("vision: f*", expires);
        assert_eq!(status, 0, "{text}");
    }
    let (status, text) = thresholds("vision: f*", "2026-06-14");
    assert_eq!(status, 1);
    assert!(
        text.contains(
            "override of sqnr-drop at vision: f*: is over since 2026-06-14; take it out or renew it (a new stem)"
        ),
        "{text}"
    );
    assert!(text.contains("vision: features: ") && text.contains("(sqnr-drop)"), "{text}");
    let (status, text) = thresholds("language*", "2030-01-01");
    assert_eq!(status, 1, "{text}");
    let (_, text) = thresholds("nothing", "2030-01-01");
    assert!(text.contains("override of sqnr-drop at nothing: fits no check; take it out"), "{text}");
    // What a file does not say is as built in, and the printed file is the built-in one.
    let printed = stdout(&sealed.run(&["gate", "--print-thresholds"]));
    sealed.write("gate.toml", &printed);
    assert_eq!(sealed.gate(&["--thresholds", "gate.toml"]), sealed.gate(&[]));
    sealed.write("gate.toml", "[outputs]\ndrop_db = 2.0\n");
    assert_eq!(sealed.gate(&["--thresholds", "gate.toml"]).0, 0);
}

#[test]
fn a_baseline_is_loosened_only_on_purpose() {
    let sealed = whole();
    let before = sealed.text("quant-baseline.json");
    sealed.edit("report.json", |report| {
        shift(&mut partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"], -0.25);
        shift(&mut partition(report, "projector")["outputs"][0]["sqnr_db"]["npu"], 1.0);
    });
    let (status, text) = sealed.gate(&["--update"]);
    assert_eq!(status, 1);
    assert!(text.starts_with("baseline: quant-baseline.json was not written: it would hold less tightly; --loosen writes it\nwould be loosened:\n  vision: features: SQNR on the NPU "), "{text}");
    assert!(text.contains("tightened:\n  projector: embeds: SQNR on the NPU "), "{text}");
    assert_eq!(sealed.text("quant-baseline.json"), before);
    let (status, text) = sealed.gate(&["--update", "--loosen"]);
    assert_eq!(status, 0);
    assert!(text.contains("\nloosened:\n  vision: features: SQNR on the NPU "), "{text}");
    assert_eq!(sealed.gate(&[]).0, 0);
    // Two lines of the file are others.
    let after = sealed.text("quant-baseline.json");
    assert_eq!(before.lines().zip(after.lines()).filter(|(a, b)| a != b).count(), 2);
    // Better figures need no leave; fewer bits and figures that are gone do.
    sealed.edit("report.json", |report| shift(&mut report["chain"]["logits_sqnr_db"]["npu"], 0.5));
    assert_eq!(sealed.gate(&["--update"]).0, 0);
    sealed.edit("report.json", |report| drop(report.as_object_mut().expect("an object").remove("evaluations")));
    let (status, text) = sealed.gate(&["--update"]);
    assert!(status == 1 && text.contains("100 of demo-eval on npu: exact answers 95 % -> not measured"), "{text}");
    // A broken baseline, or one of another model, is not written over.
    for text in ["{", &before.replacen("autoneural-random", "other", 1)] {
        sealed.write("quant-baseline.json", text);
        assert_eq!(sealed.gate(&["--update", "--loosen"]).0, 2);
        assert_eq!(sealed.text("quant-baseline.json"), text);
    }
}

/// A name that every form would obey if it were not escaped.
pub const HOSTILE: &str = "</script><img src=x onerror=hacked()>\"'&]]>|`::error::\u{1b}[31m\r\nname\u{202e}%0A";

#[test]
fn every_form_says_the_same_and_obeys_nothing() {
    let sealed = whole();
    sealed.edit("report.json", |report| {
        partition(report, "vision")["outputs"][0]["name"] = json!(HOSTILE);
        partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"] = json!(-3.0);
        report["failures"] = json!([HOSTILE]);
    });
    let (status, text) =
        sealed.gate(&["--junit", "gate.xml", "--sarif", "gate.sarif", "--markdown", "gate.md", "--github"]);
    assert_eq!(status, 1);
    assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{text:?}");
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert!(!commands.is_empty() && commands.len() <= 20);
    assert!(commands[0].starts_with("::error file=quant-baseline.json,line="), "{commands:?}");
    assert!(commands.iter().any(|line| line.contains("%250A")), "{commands:?}");
    // The annotation of what is gone stands at its partition's line.
    let xml = sealed.text("gate.xml");
    let script = "
import sys, json, xml.etree.ElementTree as E
suites = E.parse(sys.argv[1]).getroot()
cases = [(c.get('classname'), c.get('name'), [(i.tag, i.get('message')) for i in c]) for s in suites for c in s]
sums = [sum(1 for c in cases for i in c[2] if i[0] == tag) for tag in ('failure', 'error', 'skipped')]
stated = [int(suites.get(name)) for name in ('failures', 'errors', 'skipped')]
print(json.dumps({'cases': len(cases), 'tests': int(suites.get('tests')), 'sums': sums, 'stated': stated,
                  'per': [[int(s.get('tests')), len(s)] for s in suites], 'failed': [c for c in cases if c[2][0][0] == 'failure']}))
";
    let made: Value = serde_json::from_str(&crate::common::python(script, &[sealed.path("gate.xml")])).expect("JSON");
    assert_eq!((&made["cases"], &made["sums"]), (&made["tests"], &made["stated"]));
    assert!(made["per"].as_array().expect("suites").iter().all(|pair| pair[0] == pair[1]));
    assert!(!xml.contains("<img") && !xml.contains("]]>"));
    let output = sealed.run(&["gate", "bundle", "--baseline", "quant-baseline.json", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let checks = value["checks"].as_array().expect("checks");
    let count = |outcome: &str| checks.iter().filter(|check| check["outcome"] == outcome).count();
    assert_eq!((&value["verdict"], &value["exit_status"]), (&json!("regression"), &json!(1)));
    assert_eq!(made["stated"], json!([count("failed"), count("unjudged"), count("skipped")]));
    assert_eq!(made["tests"], json!(checks.len()));
    let sarif: Value = serde_json::from_str(&sealed.text("gate.sarif")).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), count("failed") + count("unjudged") + count("warning"));
    let lines = sealed.text("quant-baseline.json").lines().count() as u64;
    for result in results {
        let rule = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "quant-baseline.json");
        assert!((1..=lines).contains(&place["region"]["startLine"].as_u64().expect("a line")));
    }
    let markdown = sealed.text("gate.md");
    assert!(markdown.starts_with("## ❌ Quantization gate: regression\n"), "{markdown}");
    assert!(!markdown.contains("<img") && markdown.contains("&lt;img"), "{markdown}");

    // Nothing to judge: every form says so, too.
    sealed.write("quant-baseline.json", "{");
    let (status, _) = sealed.gate(&["--junit", "gate.xml", "--sarif", "gate.sarif", "--markdown", "gate.md"]);
    assert_eq!(status, 2);
    let made: Value = serde_json::from_str(&crate::common::python(script, &[sealed.path("gate.xml")])).expect("JSON");
    assert_eq!(made["stated"], json!([0, 1, 0]));
    let sarif = read_json(&sealed.path("gate.sarif"));
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert!(sealed.text("gate.md").contains("could not be judged"));
    let output = sealed.run(&["gate", "bundle", "--baseline", "quant-baseline.json", "--json"]);
    let value: Value = serde_json::from_str(&stderr(&output)).expect("JSON");
    assert_eq!((output.status.code(), &value["error"]["exit_status"]), (Some(2), &json!(2)));
}

#[test]
fn annotations_stand_at_their_line() {
    let sealed = accepted();
    sealed.edit("report.json", |report| {
        let outputs = partition(report, "language.decode")["outputs"].as_array_mut().expect("outputs");
        let output = outputs.iter_mut().find(|output| output["name"] == "layers.1.k_new").expect("the output");
        shift(&mut output["sqnr_db"]["npu"], -2.0);
        shift(&mut report["chain"]["logits_sqnr_db"]["npu"], -2.0);
    });
    let (_, text) = sealed.gate(&["--github"]);
    let line_of = |check: &str| -> usize {
        let command = text.lines().find(|line| line.contains(&format!("title={check}"))).expect("an annotation");
        let line = command.split("line=").nth(1).and_then(|rest| rest.split(',').next()).expect("a line");
        line.parse().expect("a number")
    };
    let baseline = sealed.text("quant-baseline.json");
    let lines: Vec<&str> = baseline.lines().collect();
    assert_eq!(lines[line_of("chain-sqnr") - 1], "  \"chain\": {");
    let at = line_of("sqnr-drop");
    assert!(lines[at - 1].trim_start().starts_with("\"layers.1.k_new\": {"), "{}", lines[at - 1]);
    let before = lines[..at].iter().rev().find(|line| line.starts_with("    \"")).expect("a partition");
    assert!(before.starts_with("    \"language.decode\": {"), "{before}");
}
