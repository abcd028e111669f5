//! Exceptions: every check can be excepted, for some places, with a reason, until a day; all forms show those in force.

use serde_json::{Value, json};

use super::regressions::REGRESSIONS;
use super::{accepted, partition, shift, whole};
use crate::common::{json as read_json, stderr, stdout};
use crate::sealed::Sealed;

fn with(sealed: &Sealed, exceptions: &str, more: &[&str]) -> (i32, String) {
    sealed.write("gate.toml", exceptions);
    sealed.gate(&[&["--thresholds", "gate.toml"], more].concat())
}

fn exception(place: &str, check: &str, more: &str) -> String {
    format!("[[exception]]\nplace = \"{place}\"\ncheck = \"{check}\"\n{more}\nreason = \"a new stem\"\n")
}

fn worse_features(sealed: &Sealed) {
    sealed.edit("report.json", |report| shift(&mut partition(report, "vision")["outputs"][0]["sqnr_db"]["npu"], -1.5));
}

#[test]
fn exceptions_hold_until_their_day_is_over() {
    let sealed = accepted();
    worse_features(&sealed);
    let until = |place: &str, day: &str| {
        with(&sealed, &exception(place, "sqnr-drop", &format!("limit = 2.0\nlast_day = {day}")), &[])
    };
    // The day of the tests is 2026-06-15.
    for (day, left) in
        [("2026-06-15", "today is the last day"), ("2026-06-16", "1 day left"), ("2026-12-31", "199 days left")]
    {
        let (status, text) = until("vision: f*", day);
        assert_eq!(status, 0, "{text}");
        let told = format!(
            "\nexceptions, judged for 2026-06-15, from SOURCE_DATE_EPOCH:\n  sqnr-drop at vision: f*, limit 2: until \
             {day}, {left}: a new stem\n    accepted: vision: features: "
        );
        assert!(text.contains(&told), "{text}");
        assert!(
            text.contains("1 accepted by exceptions") && text.contains("; 2 dB allowed [exception until "),
            "{text}"
        );
    }
    let (status, text) = until("vision: f*", "2026-06-14");
    assert_eq!(status, 1);
    let over = "exception of sqnr-drop at vision: f*: is over since 2026-06-14, its last day; take it out or renew it \
             (a new stem)";
    assert!(text.contains(over), "{text}");
    assert!(text.contains("vision: features: ") && text.contains("(sqnr-drop)"), "{text}");
    assert_eq!(until("language*", "2030-01-01").0, 1);
    let (_, text) = until("nothing", "2030-01-01");
    assert!(text.contains("exception of sqnr-drop at nothing: fits no check; take it out (a new stem)"), "{text}");
    // One that is not needed is shown, too.
    let (status, text) = with(&sealed, &exception("projector: embeds", "sqnr-drop", "last_day = 2026-12-31"), &[]);
    assert!(status == 1 && text.contains("199 days left, not needed now: a new stem"), "{text}");
    // The limit of an exception holds; the last that fits decides.
    let tight = exception("vision: *", "sqnr-*", "limit = 1.2\nlast_day = 2030-01-01");
    let (status, text) = with(&sealed, &tight, &[]);
    assert!(status == 1 && text.contains("at most 1.2 dB allowed [exception until 2030-01-01"), "{text}");
    let wide = exception("vision: features", "sqnr-drop", "last_day = 2030-01-01");
    assert_eq!(with(&sealed, &format!("{tight}{wide}"), &[]).0, 0);
    assert_eq!(with(&sealed, &format!("{wide}{tight}"), &[]).0, 1);
    // As version 0.1 wrote it.
    let old = "[[override]]\nmatch = \"vision: f*\"\ncheck = \"sqnr-drop\"\nlimit = 2.0\nreason = \"x\"\nexpires = \
             2026-07-01\n";
    assert_eq!(with(&sealed, old, &[]).0, 0);
    // What a file does not say is as built in, and the printed file is the built-in one.
    let printed = stdout(&sealed.run(&["gate", "--print-thresholds"]));
    assert!(printed.contains("# [[exception]]\n# place = "), "{printed}");
    assert_eq!(with(&sealed, &printed, &[]), sealed.gate(&[]));
    // Its examples are exceptions once they are no comments.
    let examples: Vec<&str> = printed.split("# [[exception]]").skip(1).collect();
    assert_eq!(examples.len(), 2);
    let examples: String = examples.iter().map(|text| format!("[[exception]]{}", text.replace("\n#", "\n"))).collect();
    let (_, text) = with(&sealed, &examples, &[]);
    assert!(text.contains("graph-changed at vision: until 2027-03-31"), "{text}");
    assert_eq!(with(&sealed, "[outputs]\ndrop_db = 2.0\n", &[]).0, 0);
}

/// An exception that is over is no figure that got worse, and one with a slip in its place is told the nearest.
#[test]
fn what_is_wrong_with_an_exception_is_told() {
    let sealed = accepted();
    let over = exception("vision: features", "sqnr-drop", "last_day = 2026-01-01");
    let (status, text) = with(&sealed, &over, &["--markdown", "gate.md"]);
    assert!(status == 1 && text.contains("\n\nexceptions are over:\n  exception of sqnr-drop"), "{text}");
    assert!(!text.contains("worse"), "{text}");
    assert!(sealed.text("gate.md").contains("\n### Exceptions are over\n"), "{}", sealed.text("gate.md"));
    worse_features(&sealed);
    let (_, text) = with(&sealed, &over, &[]);
    assert!(text.contains("\n\nworse:\n") && text.contains("to accept it for a limited time, put this"), "{text}");

    let sealed = accepted();
    for (place, nearest) in [
        ("vision: featurs", Some("vision: features")),
        ("vision: feature", Some("vision: features")),
        ("visoin: features", Some("vision: features")),
        ("language.decode: logit", Some("language.decode: logits")),
        ("nothing", None),
    ] {
        let (status, text) = with(&sealed, &exception(place, "sqnr-drop", "last_day = 2030-01-01"), &[]);
        let meant = nearest.map_or(String::new(), |nearest| format!(" (did you mean `{nearest}`?)"));
        let told = format!("exception of sqnr-drop at {place}: fits no check{meant}; take it out (a new stem)");
        assert!(status == 0 && text.contains(&told), "{text}");
    }
    // A day that the clock gives is not told.
    sealed.write("gate.toml", &exception("vision: *", "sqnr-drop", "last_day = 9999-12-31"));
    let args = ["gate", "bundle", "--baseline", "quant-baseline.json", "--thresholds", "gate.toml"];
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_autoneural"));
    let output = command.args(args).env_remove("SOURCE_DATE_EPOCH").current_dir(sealed.path("")).output();
    let text = stdout(&output.expect("the program starts"));
    assert!(text.contains("\nexceptions:\n") && !text.contains("judged for"), "{text}");
}

/// Every regression that the gate knows passes with the exceptions that it proposes, once somebody gave a reason.
#[test]
fn every_check_can_be_excepted_with_what_is_printed() {
    let clean = whole();
    let mut excepted = std::collections::BTreeSet::new();
    for (what, change, _) in REGRESSIONS {
        let sealed = Sealed::of(&clean.path("bundle"));
        std::fs::copy(clean.path("quant-baseline.json"), sealed.path("quant-baseline.json")).expect("copied");
        change(&sealed);
        let (status, printed) = sealed.gate(&["--print-exceptions"]);
        assert_eq!(status, 1, "{what}: {printed}");
        assert!(
            printed.starts_with("[[exception]]\nplace = \"") && printed.contains("last_day = 2026-09-13\n"),
            "{printed}"
        );
        let (status, text) = with(&sealed, &printed, &[]);
        assert!(status == 2 && text.contains("`reason` is empty"), "{what}: {text}");
        let reasoned = printed.replace("reason = \"\"", "reason = \"on trial\"");
        let (status, text) = with(&sealed, &reasoned, &[]);
        assert_eq!(status, 0, "{what}: {printed}{text}");
        assert!(text.contains("90 days left: on trial") && !text.contains("fits no check"), "{what}: {text}");
        assert!(!text.contains("not needed now"), "{what}: {text}");
        // The summary shows one of them, as it may be pasted.
        let (_, text) = sealed.gate(&[]);
        let shown = &text[text.find("[[exception]]").expect("a snippet")..];
        assert!(printed.contains(shown.trim_end()), "{what}: {shown}\n{printed}");
        excepted.extend(reasoned.lines().filter_map(|line| line.strip_prefix("check = ")).map(String::from));
    }
    // All but that of weights and settings, which only warns: it is below.
    let listed: Value = serde_json::from_str(&stdout(&clean.run(&["gate", "--list-checks", "--json"]))).expect("JSON");
    for check in listed["checks"].as_array().expect("checks") {
        let name = check["check"].as_str().expect("a name");
        if check["can_be_excepted"] == true && name != "input" {
            assert!(excepted.contains(&format!("\"{name}\"")), "{name} is in no regression");
        }
    }
}

#[test]
fn what_was_not_judged_and_what_warns_can_be_excepted() {
    let sealed = whole();
    sealed.edit("report.json", |report| drop(report.as_object_mut().expect("an object").remove("evaluations")));
    sealed.edit("manifest.json", |manifest| manifest["tool"]["version"] = json!("9.9.9"));
    let (status, text) = sealed.gate(&["--print-exceptions"]);
    assert!(status == 2 && text.contains("check = \"accuracy\"\nreason"), "{text}");
    let reasoned = text.replace("reason = \"\"", "reason = \"on trial\"");
    let (status, text) = with(&sealed, &reasoned, &[]);
    assert!(status == 0 && text.contains("\nwarnings:\n  autoneural: version 9.9.9"), "{text}");
    let quiet = exception("autoneural", "version", "last_day = 2030-01-01");
    let (status, text) = with(&sealed, &format!("{reasoned}{quiet}"), &[]);
    assert!(status == 0 && !text.contains("\nwarnings:\n") && text.contains("accepted: autoneural: version"), "{text}");
    // A limit does not except what has no figure.
    let limited = exception("100 of *", "*", "limit = 99.0\nlast_day = 2030-01-01");
    assert_eq!(with(&sealed, &limited, &[]).0, 2);
    assert!(sealed.gate(&["--print-exceptions", "--thresholds", "gate.toml"]).1.contains("perplexity"));
    // A single tensor of a graph.
    sealed.edit("encodings/vision.json", |encodings| {
        let entry = super::scale_of(encodings, "param_encodings", "blocks.0.0.conv_pwl.weight");
        entry["bw"] = json!(4);
        entry["offset"].as_array_mut().expect("offsets").iter_mut().for_each(|offset| *offset = json!(-8));
    });
    let tensor = exception("vision: blocks.0.0.conv_pwl.*", "graph-changed", "last_day = 2030-01-01");
    let (status, text) = with(&sealed, &format!("{reasoned}{tensor}"), &[]);
    assert!(
        status == 0 && text.contains("accepted: vision: other integers: blocks.0.0.conv_pwl.weight is int4"),
        "{text}"
    );
    // All that moved in a partition.
    sealed.edit("encodings/projector.json", |encodings| {
        let scale = &mut super::scale_of(encodings, "activation_encodings", "linear_1")["scale"][0];
        *scale = json!(scale.as_f64().expect("a scale") * 1.3);
    });
    let accepted = format!("{reasoned}{tensor}");
    assert_eq!(with(&sealed, &accepted, &[]).0, 1);
    let moved = exception("projector", "activations-moved", "last_day = 2030-01-01");
    assert_eq!(with(&sealed, &format!("{accepted}{moved}"), &[]).0, 0);
    let limited = exception("projector", "activations-moved", "limit = 12.0\nlast_day = 2030-01-01");
    assert_eq!(with(&sealed, &format!("{accepted}{limited}"), &[]).0, 1);
    let another = exception("vision: blocks.0.0.act", "graph-changed", "last_day = 2030-01-01");
    assert_eq!(with(&sealed, &format!("{reasoned}{another}"), &[]).0, 1);
}

#[test]
fn all_forms_show_the_exceptions_in_force() {
    let sealed = accepted();
    worse_features(&sealed);
    let text = exception("vision: features", "sqnr-drop", "limit = 2.0\nlast_day = 2026-12-31");
    let forms = ["--junit", "gate.xml", "--sarif", "gate.sarif", "--markdown", "gate.md", "--github"];
    let (status, said) = with(&sealed, &text, &forms);
    assert_eq!(status, 0, "{said}");
    let shown = "until 2026-12-31, 199 days left: a new stem";
    assert!(
        said.contains(&format!(
            "::notice title=autoneural gate%3A exception::sqnr-drop at vision: features, limit 2: {shown}\n"
        )),
        "{said}"
    );
    assert!(!said.contains("::error"), "{said}");
    let markdown = sealed.text("gate.md");
    assert!(
        markdown.contains("### Exceptions\n\n- sqnr-drop at vision: features, limit 2: ") && markdown.contains(shown),
        "{markdown}"
    );
    assert!(markdown.contains("\nExceptions are judged for 2026-06-15, from SOURCE\\_DATE\\_EPOCH.\n"), "{markdown}");
    assert!(markdown.contains("### Accepted by exceptions\n\n| where |"), "{markdown}");
    assert!(sealed.text("gate.xml").contains("accepted: ") && sealed.text("gate.xml").contains(shown));
    let sarif = read_json(&sealed.path("gate.sarif"));
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["ruleId"], "sqnr-drop");
    assert_eq!(results[0]["level"], "note");
    let suppression = &results[0]["suppressions"][0];
    assert_eq!((&suppression["kind"], &suppression["status"]), (&json!("external"), &json!("accepted")));
    assert_eq!(suppression["justification"], shown);
    let output =
        sealed.run(&["gate", "bundle", "--baseline", "quant-baseline.json", "--thresholds", "gate.toml", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let wanted = json!([{
        "check": "sqnr-drop", "place": "vision: features", "limit": 2.0, "reason": "a new stem",
        "last_day": "2026-12-31", "days_left": 199, "state": "used",
    }]);
    assert_eq!((&value["exceptions"], &value["verdict"]), (&wanted, &json!("passed")));
    let checks = value["checks"].as_array().expect("checks");
    let excepted: Vec<&Value> = checks.iter().filter(|check| check["outcome"] == "excepted").collect();
    assert_eq!(excepted.len(), 1);
    assert_eq!(excepted[0]["exception"], json!({ "reason": "a new stem", "last_day": "2026-12-31", "days_left": 199 }));
    // Quiet stays quiet.
    assert_eq!(with(&sealed, &text, &["-q"]), (0, String::new()));
}

#[test]
fn exceptions_that_cannot_be_are_told() {
    let sealed = accepted();
    for (text, wanted) in [
        (
            exception("*", "sqnr", "last_day = 2027-01-01"),
            "exception 1: `sqnr` is the name of no check (did you mean `sqnr-",
        ),
        (
            exception("*", "graph_changed", "last_day = 2027-01-01"),
            "(did you mean `graph-changed`?); the checks are goal-missed, goal-loosened, sqnr-floor, ",
        ),
        (exception("*", "zzz", "last_day = 2027-01-01"), "`zzz` is the name of no check; the checks are "),
        (
            exception("*", "graph-changed", "limit = 1.0\nlast_day = 2027-01-01"),
            "`graph-changed` has no figure to limit; leave `limit` out",
        ),
        (exception("*", "exception", "last_day = 2027-01-01"), "give the other one a later `last_day`"),
        (exception("*", "sqnr-drop", "limit = nan\nlast_day = 2027-01-01"), "`limit` is no finite number"),
        (exception("*", "sqnr-drop", ""), "missing field `last_day`"),
        (exception("*", "sqnr-drop", "last_day = \"soon\""), "gate.toml: "),
        (exception("*", "sqnr-drop", "last_day = 2027-02-30"), "gate.toml:"),
        (exception("*", "sqnr-drop", "last_day = 2027-01-01\nlimits = 3.0"), "unknown field `limits`"),
        ("[exception]\nplace = \"*\"\n".to_string(), "gate.toml: "),
    ] {
        sealed.write("gate.toml", &text);
        for more in [&["bundle", "--baseline", "quant-baseline.json"][..], &["--list-checks"]] {
            let output = sealed.run(&[&["gate", "--thresholds", "gate.toml"], more].concat());
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{text}: {said}{}", stdout(&output));
            assert!(said.contains(wanted), "no `{wanted}` in {said}");
            assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        }
    }
}
