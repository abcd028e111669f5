//! What cannot be judged: status 2, and why in one line.

use serde_json::{Value, json};

use super::{Change, partition, scale_of, whole};
use crate::common::{stderr, stdout};
use crate::sealed::Sealed;

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
        "    \"vision\": {\"weights\": \"\", \"nodes\": 1, \"npu_nodes\": null, \"binary_bytes\": null, \
         \"buffer_bytes\": null, \"outputs\": {}, \"activations\": {}, \"constants\": {}},\n    \"vision\": {\n",
    );
    let baselines: &[(&str, &str)] = &[
        ("", "is empty"),
        (cut, "is no whole baseline: it ends in the middle; restore it from the repository"),
        (&format!("<<<<<<< ours\n{baseline}"), "other.json:1: holds marks of a merge that was not finished"),
        ("{}", "missing field `schema`"),
        ("[1, 2]", "is no baseline"),
        (
            &replaced("\"schema\": 1", "\"schema\": 7"),
            "is of schema 7; this version reads schema 1; another version of autoneural wrote it: use that one",
        ),
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
        ("\n<<<<<<< ours\n", "gate.toml:2: holds marks of a merge that was not finished"),
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
            "[[exception]]\nplace = \"*\"\ncheck = \"sqnr-drop\"\nreason = \"x\"\nexpires = 2027-01-01\nlast_day = \
             2027-01-01\n",
            "duplicate field `last_day`",
        ),
        (
            "[[override]]\nmatch = \"*\"\ncheck = \"sqnr-drop\"\nlimit = 1.0\nreason = \"\"\nexpires = 2027-01-01\n",
            "`reason` is empty",
        ),
        (
            "[[override]]\nmatch = \"*\"\ncheck = \"sqnr-drop\"\nlimit = 1.0\nreason = \"x\"\nexpires = 10:00:00\n",
            "`last_day` has no date",
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
