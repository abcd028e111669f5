//! Every kind of regression is caught, with its name and its place.

use serde_json::{Value, json};

use super::{Change, accepted, evaluation, partition, scale_of, set, shift, whole};
use crate::common::{GRAPH, RECIPE, WEIGHTS, copy, root, stderr, toolkit};
use crate::sealed::{Sealed, project};

/// What is changed, by whom it is found, and what is said about it.
pub const REGRESSIONS: &[(&str, Change, &[&str])] = &[
    (
        "SQNR of an output",
        |sealed| {
            sealed.edit("report.json", |report| {
                shift(&mut partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"], -3.0)
            })
        },
        &[
            "vision: features: ",
            " dB on the NPU, worse by 3.00 dB than the baseline's ",
            "at most 1 dB allowed (sqnr-drop)",
        ],
    ),
    (
        "a goal of the recipe that is missed",
        |sealed| {
            sealed.edit("report.json", |report| report["goals"] = json!({ "sqnr_db": { "vision/features": 99.0 } }))
        },
        &["vision: features: SQNR ", " dB, wanted at least 99 dB (goal-missed)"],
    ),
    (
        "a goal of the recipe that was lowered",
        |sealed| {
            let goal = |db: f64| {
                sealed.edit("report.json", |report| report["goals"] = json!({ "sqnr_db": { "vision/*": db } }))
            };
            goal(4.0);
            sealed.accept();
            goal(2.0);
        },
        &["vision: features: the goal for SQNR is 2 dB, 4 in the baseline (goal-loosened)"],
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
        "a graph that computes something else than the checkpoint",
        |sealed| sealed.edit("report.json", |report| partition(report, "vision")["frozen"]["sqnr_db"] = json!(41.5)),
        &["vision: 41.50 dB in float is less than 80 dB, the least that is allowed (frozen-floor)"],
    ),
    (
        "RMS error",
        |sealed| {
            sealed.edit("report.json", |report| {
                shift(&mut partition(report, "language.decode")["outputs"][0]["rms_error_percent"]["npu"], 5.0)
            })
        },
        &["language.decode: logits: ", " % RMS error, worse by 5.000 points than", "(rms-error)"],
    ),
    (
        "a worse verification sample",
        |sealed| {
            sealed.edit("report.json", |report| {
                shift(&mut partition(report, "vision")["outputs"][0]["by_sample"]["worst_db"]["npu"], -3.0)
            })
        },
        &["vision: features: ", " dB in the worst sample, worse by 3.00 dB than", "(sample-drop)"],
    ),
    (
        "SQNR of sequences",
        |sealed| sealed.edit("report.json", |report| shift(&mut report["chain"]["logits_sqnr_db"]["npu"], -1.5)),
        &["sequences: ", "worse by 1.50 dB than", "(chain-sqnr)"],
    ),
    (
        "tokens of sequences",
        |sealed| {
            sealed.edit("report.json", |report| shift(&mut report["chain"]["top1_agreement_percent"]["npu"], -10.0))
        },
        &["sequences: ", " % of steps with the token of float, worse by 10.00 points", "(chain-tokens)"],
    ),
    (
        "accuracy",
        |sealed| sealed.edit("report.json", |report| report["evaluations"] = evaluation(93.0, 1.02)),
        &[
            "100 of demo-eval on npu: 93.00 % exact answers, worse by 2.00 points than the baseline's 95.00",
            "(accuracy)",
        ],
    ),
    (
        "perplexity",
        |sealed| sealed.edit("report.json", |report| report["evaluations"] = evaluation(95.0, 1.07)),
        &["100 of demo-eval on npu: 1.0700 perplexity, worse by 4.90 % than the baseline's 1.0200", "(perplexity)"],
    ),
    (
        "right classes among five",
        |sealed| {
            sealed.edit("report.json", |report| {
                report["array_evaluations"] = set(80.0, 98.0, [40.0, 30.0]);
                report["array_evaluations"][0]["engines"][0]["classes"]["top5_percent"] = json!(97.0);
            });
        },
        &["50 labelled samples of val on npu: 97.00 % top-5, worse by 2.00 points", "(top-5)"],
    ),
    (
        "classes that are not float's",
        |sealed| sealed.edit("report.json", |report| report["array_evaluations"] = set(80.0, 96.0, [40.0, 30.0])),
        &[
            "50 labelled samples of val on npu: 96.00 % of samples with the class of float, worse by 2.00 points",
            "(same-class)",
        ],
    ),
    (
        "a set of samples with more noise",
        |sealed| sealed.edit("report.json", |report| report["array_evaluations"] = set(80.0, 98.0, [38.5, 30.0])),
        &["50 labelled samples of val on npu: vision/features: 38.50 dB, worse by 1.50 dB", "(set-output)"],
    ),
    (
        "a worse sample",
        |sealed| sealed.edit("report.json", |report| report["array_evaluations"] = set(80.0, 98.0, [40.0, 27.0])),
        &[
            "50 labelled samples of val on npu: vision/features: 27.00 dB in the worst sample, worse by 3.00 dB",
            "(worst-sample)",
        ],
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
        &["projector: ", " bytes, larger by 10.00 % than the baseline's ", "(binary-size)"],
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
        &["device: ", "larger by 5.00 %", "(device-size)"],
    ),
    (
        "a range that moved",
        |sealed| {
            sealed.edit("encodings/vision.json", |encodings| {
                let scale = &mut scale_of(encodings, "activation_encodings", "blocks.0.0.act")["scale"][0];
                *scale = json!(scale.as_f64().expect("a scale") * 1.3);
            })
        },
        &["vision: blocks.0.0.act: moved by ", "uint16 ", "(activations-moved)"],
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
        &["vision: blocks.0.0.act: 36.00 dB on the NPU, worse by 4.00 dB than the baseline's 40.00", "(layer-drop)"],
    ),
    (
        "a layer that was only simulated",
        |sealed| {
            sealed.edit("report.json", |report| {
                partition(report, "vision")["layers"][0]["sqnr_db"]["simulated"] = json!(-3.0)
            })
        },
        &[
            "vision: conv_stem.conv: -3.00 dB simulated, worse by 53.00 dB than the baseline's 50.00",
            "(layer-drop)",
            "(layer-floor)",
        ],
    ),
];

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
    let compile_for = |target: &str, weights: &str, recipe: &str| {
        sealed.write("recipe.toml", recipe);
        let graph = project(GRAPH);
        let args =
            ["compile", &graph, "--weights", weights, "--calibration", "recipe.toml", "--target", target, "--out"];
        let more =
            ["bundle", "--require-npu", "-q", "--max-difference", "100", "--toolkit", toolkit.to_str().expect("UTF-8")];
        let output = sealed.run(&[&args[..], &more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        sealed.gate(&[])
    };
    let compile = |weights: &str, recipe: &str| compile_for("sa8295p", weights, recipe);
    let original = project(WEIGHTS);
    // Without a change, a second compilation passes.
    let (status, text) = compile(&original, &recipe);
    assert_eq!(status, 0, "{text}");

    let override_ = "[[override]]\ntensor = \"blocks.1.0.pw_exp.conv.weight\"\ntype = \"int4\"\n";
    let (status, text) = compile(&original, &format!("{recipe}\n{override_}"));
    assert_eq!(status, 1, "{text}");
    let found = "blocks.1.0.pw_exp.conv.weight is int4, int8 in the baseline (graph-changed)";
    assert!(text.contains(found) && text.contains("settings: different from the baseline"), "{text}");

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

    // An operator that the target no longer takes: it goes to the CPU, the figures stay good.
    let target = std::fs::read_to_string(root("targets/sa8295p.toml")).expect("the target");
    let mut entries: Vec<&str> = target.split("[[operator]]").collect();
    entries.retain(|entry| !entry.starts_with("\nname = \"Gelu\"\n"));
    sealed.write("target.toml", &entries.join("[[operator]]"));
    let (status, text) = compile_for("target.toml", &original, &recipe);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("nodes-outside-npu") && text.contains("vision"), "{text}");

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
    assert!(text.contains("weights: different from the baseline: model/vision.data"), "{text}");
}
