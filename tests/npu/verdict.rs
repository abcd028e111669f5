//! Whether a model can ship: goals of the recipe, what the report says of them, and where a weak output's noise comes
//! from.

use std::path::Path;

use autoneural::report::{GoalKind, Report, Verdict, VerdictState};
use serde_json::{Value, json};

use crate::common::bench::INPUT;
use crate::common::{SMALL_RECIPE, demo_bundle};
use crate::keep::Desk;

/// Exit status of figures that are not good enough.
const FIGURES: i32 = 6;

/// The verdict on the demo's report, with changes.
fn judged(change: impl FnOnce(&mut Value)) -> Verdict {
    let mut report = serde_json::from_slice(&std::fs::read(demo_bundle().join("report.json")).unwrap()).unwrap();
    change(&mut report);
    Report::parse(report.to_string().as_bytes(), Path::new("report.json")).unwrap().verdict
}

fn evaluation(questions: usize, in_set: usize, blank: bool, engines: &[(&str, f64, f64)]) -> Value {
    let engine = |(name, exact, perplexity): &(&str, f64, f64)| {
        let total = json!({
            "questions": questions, "exact_match_percent": exact, "perplexity": perplexity,
            "token_agreement_percent": 99.5, "features_sqnr_db": null, "logits_sqnr_db": null,
        });
        json!({ "engine": name, "total": total, "uses": {}, "wrong": [] })
    };
    let engines: Vec<Value> = engines.iter().map(engine).collect();
    json!({ "set": "ours", "blank": blank, "questions": questions, "in_set": in_set, "engines": engines })
}

#[test]
fn without_a_goal_nothing_is_said_to_be_good() {
    // A stored verdict is not believed.
    let verdict = judged(|report| report["verdict"] = json!({ "state": "met" }));
    assert_eq!((verdict.state, verdict.goals.len()), (VerdictState::NoGoal, 0));
    assert_eq!(verdict.sentence(), "no goal stated");
    let todo = verdict.todo("out/x");
    assert!(todo.len() == 1 && todo[0].contains("[goal.sqnr_db]"), "{todo:?}");
}

#[test]
fn outputs_are_held_against_the_goal_of_the_npu() {
    let goals = json!({ "sqnr_db": { "*": 1, "vision/features": 20 }, "sequences": { "logits_sqnr_db": 1 } });
    let verdict = judged(|report| report["goals"] = goals.clone());
    assert_eq!(verdict.state, VerdictState::Met, "{:?}", verdict.goals);
    let missed = judged(|report| {
        report["goals"] = goals.clone();
        report["partitions"][0]["outputs"][0]["sqnr_db"] = json!({ "simulated": 50.0, "npu": 19.96 });
    });
    let lines: Vec<String> = missed.goals_in(VerdictState::Missed).map(|goal| goal.line()).collect();
    assert_eq!(missed.state, VerdictState::Missed);
    // Twenty would not be less than twenty.
    assert!(lines.contains(&"vision/features: SQNR 19.96 dB, wanted at least 20 dB".into()), "{lines:?}");
    // Simulation and NPU are far apart, too: that has always been a failure.
    assert!(lines.iter().any(|line| line.contains("differ by more than 3 dB")), "{lines:?}");
    // A simulated figure meets nothing, but it can miss.
    for (simulated, state) in [(50.0, VerdictState::NotMeasured), (10.0, VerdictState::Missed)] {
        let verdict = judged(|report| {
            report["goals"] = goals.clone();
            report["partitions"][0]["outputs"][0]["sqnr_db"] = json!({ "simulated": simulated, "npu": null });
        });
        assert_eq!(verdict.state, state);
        let goal = verdict.goals.iter().find(|goal| goal.of == "vision/features").unwrap();
        assert!(goal.reached_text().contains("dB simulated"), "{}", goal.line());
    }
    let unmeasured = judged(|report| {
        report["goals"] = goals.clone();
        report["partitions"][0]["outputs"][0]["sqnr_db"] = json!({ "simulated": null, "npu": null });
    });
    assert_eq!(unmeasured.sentence(), format!("1 of {} goals was not measured on the NPU", unmeasured.goals.len()));
    assert_eq!(unmeasured.todo("a b"), ["autoneural verify 'a b' --calibration RECIPE.toml --require-npu"]);
}

#[test]
fn questions_are_held_against_float_and_the_whole_set() {
    let goals = json!({ "evaluation": {
        "exact_match_percent": 90, "exact_match_loss_points": 1, "perplexity_increase_percent": 2,
        "token_agreement_percent": 99,
    } });
    let states = |evaluations: Value, goals: &Value| {
        let verdict = judged(|report| {
            report["goals"] = goals.clone();
            report["evaluations"] = evaluations;
        });
        let of: Vec<VerdictState> = verdict.goals.iter().map(|goal| goal.state).collect();
        (verdict, of)
    };
    use VerdictState::{Met, Missed, NotMeasured};
    let good = [("float", 95.0, 1.01), ("npu", 94.5, 1.02)];
    let whole = evaluation(10, 10, false, &good);
    assert_eq!(states(json!([whole]), &goals).1, [Met; 4]);
    // No question, blank pictures, too few of them, no float beside: nothing is met.
    let (none, of) = states(json!([]), &goals);
    assert_eq!(of, [NotMeasured; 4]);
    assert_eq!(none.todo("out/x"), ["autoneural eval out/x --set DIR --on float,npu"]);
    assert_eq!(states(json!([evaluation(10, 10, true, &good)]), &goals).1, [NotMeasured; 4]);
    let (few, of) = states(json!([evaluation(3, 10, false, &good)]), &goals);
    assert_eq!(of, [NotMeasured; 4]);
    assert!(few.goals[0].line().contains("3 of 10 questions were asked"), "{}", few.goals[0].line());
    assert_eq!(states(json!([evaluation(10, 10, false, &good[1..])]), &goals).1, [Met, NotMeasured, NotMeasured, Met]);
    let simulated = [("float", 95.0, 1.01), ("simulated", 93.0, 1.02)];
    assert_eq!(
        states(json!([evaluation(10, 10, false, &simulated)]), &goals).1,
        [NotMeasured, Missed, NotMeasured, NotMeasured]
    );
    // The NPU's counts, however good the simulation is.
    let worse = [("float", 95.0, 1.01), ("simulated", 95.0, 1.01), ("npu", 80.0, 1.5)];
    let (worse, of) = states(json!([evaluation(10, 10, false, &worse)]), &goals);
    assert_eq!(of, [Missed, Missed, Missed, Met]);
    assert_eq!(worse.goals[1].line(), "ours: exact match below float 15.0 points, wanted at most 1 points");
    assert_eq!(worse.goals[1].kind, GoalKind::ExactMatchLoss);
    // A goal may say how many questions are enough, and of which set.
    let mut enough = goals.clone();
    enough["evaluation"]["questions"] = json!(3);
    assert_eq!(states(json!([evaluation(3, 10, false, &good)]), &enough).1, [Met; 4]);
    enough["evaluation"]["set"] = json!("theirs");
    assert_eq!(states(json!([evaluation(3, 10, false, &good)]), &enough).1, [NotMeasured; 4]);
}

/// A set of samples with labels: right classes, right among five, classes of float.
fn classes(samples: usize, is_labelled: bool, engines: &[(&str, [f64; 3])]) -> Value {
    let engine = |(name, [top1, top5, same]): &(&str, [f64; 3])| {
        let mut classes = json!({ "top1_percent": top1, "top5_percent": top5 });
        if *name != "float" && engines[0].0 == "float" {
            classes["agreement_percent"] = json!(same);
        }
        let mut made = json!({ "engine": name });
        if is_labelled {
            made["classes"] = classes;
        }
        made
    };
    let mut made = json!({
        "set": "val", "samples": samples, "in_set": 50, "engines": engines.iter().map(engine).collect::<Vec<_>>(),
    });
    if is_labelled {
        made["classes_of"] = json!("vision/features");
    }
    json!([made])
}

#[test]
fn classes_are_held_against_float_and_the_whole_set() {
    let goals = json!({ "evaluation": {
        "top1_percent": 70, "top1_loss_points": 1, "top5_percent": 90, "top5_loss_points": 0.5, "same_class_percent": 97,
    } });
    let states = |found: Value, goals: &Value| {
        let verdict = judged(|report| {
            report["goals"] = goals.clone();
            report["array_evaluations"] = found;
        });
        let of: Vec<VerdictState> = verdict.goals.iter().map(|goal| goal.state).collect();
        (verdict, of)
    };
    use VerdictState::{Met, Missed, NotMeasured};
    let good = [("float", [72.0, 91.0, 0.0]), ("npu", [71.5, 90.5, 98.0])];
    assert_eq!(states(classes(50, true, &good), &goals).1, [Met; 5]);
    // No set, one without labels, too few samples: nothing is met.
    let (none, of) = states(json!([]), &goals);
    assert_eq!(of, [NotMeasured; 5]);
    assert_eq!(none.goals[0].line(), "samples: top-1 not measured, wanted at least 70 %");
    assert_eq!(none.todo("out/x"), ["autoneural eval out/x --set SET --on float,npu"]);
    assert_eq!(states(classes(50, false, &good), &goals).1, [NotMeasured; 5]);
    let (few, of) = states(classes(49, true, &good), &goals);
    assert_eq!(of, [NotMeasured; 5]);
    assert!(few.goals[0].line().contains("49 of 50 samples were run"), "{}", few.goals[0].line());
    // Without float beside it, and in simulation.
    assert_eq!(states(classes(50, true, &good[1..]), &goals).1, [Met, NotMeasured, Met, NotMeasured, NotMeasured]);
    let simulated = [("float", [72.0, 91.0, 0.0]), ("simulated", [70.5, 90.5, 90.0])];
    assert_eq!(
        states(classes(50, true, &simulated), &goals).1,
        [NotMeasured, Missed, NotMeasured, NotMeasured, Missed]
    );
    let (worse, of) = states(classes(50, true, &[good[0], ("npu", [60.0, 91.0, 96.9])]), &goals);
    assert_eq!(of, [Missed, Missed, Met, Met, Missed]);
    assert_eq!(worse.goals[1].line(), "val: top-1 below float 12.0 points, wanted at most 1 points");
    assert_eq!(worse.goals[1].kind, GoalKind::Top1Loss);
    // A goal may say how many are enough, and of which set.
    let mut enough = goals.clone();
    enough["evaluation"]["samples"] = json!(10);
    assert_eq!(states(classes(10, true, &good), &enough).1, [Met; 5]);
    assert_eq!(states(classes(9, true, &good), &enough).1, [NotMeasured; 5]);
    enough["evaluation"]["set"] = json!("test");
    assert_eq!(states(classes(10, true, &good), &enough).1, [NotMeasured; 5]);
}

#[test]
fn a_goal_that_names_nothing_is_refused() {
    for (goal, wanted) in [
        ("[goal.sqnr_db]\n\"vison/*\" = 20\n", "goal.sqnr_db: `vison/*` fits no output"),
        ("[goal]\naccuracy = 3\n", "unknown field `accuracy`"),
        ("[goal.sqnr_db]\n\"*\" = nan\n", "goal.sqnr_db.\"*\": NaN is no goal"),
        ("[goal.evaluation]\nset = \"a\"\n", "goal.evaluation: states no goal"),
    ] {
        let desk = Desk::new(&format!("{SMALL_RECIPE}\n{goal}"));
        let (status, _, err) = desk.compile(&["--verify", "none"]);
        assert_eq!(status, INPUT, "{err}");
        assert!(err.contains(wanted), "{wanted}: {err}");
        assert!(!desk.path("bundle").exists() && !err.contains("calibrate"), "{err}");
    }
}

/// Changes of goals alone: nothing is done anew, and all is judged anew.
#[test]
fn other_goals_are_judged_on_the_figures_that_are_there() {
    let desk = Desk::new(SMALL_RECIPE);
    let args = ["--max-difference", "99"];
    let (status, out, err) = desk.compile(&args);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("verdict: no goal stated"), "{out}");
    assert!(out.contains("weak: language."), "{out}");
    let first = desk.report();
    assert_eq!(first["verdict"], json!({ "state": "no-goal" }));

    desk.recipe(&format!("{SMALL_RECIPE}\n[goal.sqnr_db]\n\"*\" = 0\n\"vision/features\" = 90\n"));
    let (status, out, err) = desk.compile(&args);
    assert_eq!(status, FIGURES, "{err}");
    assert!(err.contains("vision/features: SQNR") && err.contains("wanted at least 90 dB"), "{err}");
    assert!(out.contains("goals is missed") && out.contains("weak: vision/features"), "{out}");
    let steps: Vec<&str> = err.lines().filter(|line| line.contains(": done in") || line.ends_with(" steps")).collect();
    assert!(steps.is_empty(), "work was done again: {steps:?}");
    let missed = desk.report();
    let figures = |report: &Value| {
        report["partitions"].as_array().unwrap().iter().map(|p| p["outputs"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(figures(&missed), figures(&first));
    assert_eq!(missed["verdict"]["state"], "missed");
    assert_eq!(missed["failures"].as_array().unwrap().len(), 1);
    assert!(std::fs::read_to_string(desk.path("bundle/calibration/recipe.toml")).unwrap().contains("= 90"));

    // `verify` alone takes the goals of the recipe that it is given.
    desk.recipe(&format!("{SMALL_RECIPE}\n[goal.sqnr_db]\n\"*\" = 0\n"));
    let (bundle, recipe) = (desk.text("bundle"), desk.text("recipe.toml"));
    let (status, out, err) = desk.run(&["verify", &bundle, "--calibration", &recipe, "--max-difference", "99"]);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("goals are met on the NPU"), "{out}");
    assert_eq!(desk.report()["verdict"]["state"], "met");
    // So does `calibrate`, without dropping what does not depend on goals.
    let (status, _, err) = desk.run(&["calibrate", &bundle, "--calibration", &recipe]);
    assert_eq!(status, 0, "{err}");
    assert!(desk.path("bundle/context").is_dir() && desk.path("bundle/report.json").exists(), "{err}");

    // Goals of an evaluation end `eval`, too.
    desk.recipe(&format!("{SMALL_RECIPE}\n[goal.evaluation]\nexact_match_percent = 100\n"));
    let (status, out, err) = desk.compile(&args);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("was not measured") || out.contains("verdict: the goal"), "{out}");
    assert!(out.contains("autoneural eval"), "{out}");
    let set = desk.path("set");
    std::fs::create_dir(&set).unwrap();
    std::fs::write(set.join("questions.jsonl"), "{\"use\": \"a\", \"question\": \"Who?\", \"answer\": \"Nobody.\"}\n")
        .unwrap();
    let (status, out, err) =
        desk.run(&["eval", &bundle, "--set", &set.display().to_string(), "--on", "float,simulated"]);
    assert_eq!(status, FIGURES, "{out}{err}");
    assert!(err.contains("set: exact match 0.0 % simulated, wanted at least 100 %"), "{err}");
    assert_eq!(desk.report()["verdict"]["state"], "missed");
}

/// What lies outside the range is told from rounding, with the step; advice does what it says.
#[test]
fn weak_outputs_lead_to_their_causes_and_advice_acts() {
    let desk = Desk::new(&format!("{SMALL_RECIPE}\n[goal.sqnr_db]\n\"*\" = 190\n"));
    // Features of which most are cut off, as if calibration had seen far too little.
    let narrow = json!({ "version": "0.6.1", "param_encodings": {}, "activation_encodings": { "features": [{
        "bitwidth": 16, "dtype": "int", "is_symmetric": "False", "min": -0.01, "max": 0.01,
        "scale": 0.02 / 65535.0, "offset": -32768,
    }] } });
    std::fs::write(desk.path("narrow.json"), narrow.to_string()).unwrap();
    let narrow = desk.text("narrow.json");
    let (status, out, err) = desk.compile(&["--encodings", &narrow, "--layers", "simulated"]);
    assert_eq!(status, FIGURES, "{err}");
    let report = desk.report();
    let weak = |at: usize, output: &str| {
        let all = report["partitions"][at]["weak"].as_array().unwrap();
        all.iter().find(|weak| weak["output"] == output).cloned().unwrap_or_else(|| panic!("{output}: {all:?}"))
    };
    let features = weak(0, "features");
    let cause = &features["causes"][0];
    assert_eq!(
        (&cause["cause"], &cause["layer"], &features["wanted_db"]),
        (&json!("saturated"), &json!("features"), &json!(190.0))
    );
    assert!(cause["found"].as_str().unwrap().contains("lie outside -0.010 to 0.010; they reach"), "{cause}");
    // These ranges were given: samples would not widen them.
    assert!(cause["help"].is_null(), "{cause}");
    let lowest = &report["partitions"][0]["outputs"][0]["lowest"];
    assert!(lowest["sample"] == 0 && lowest["outside_percent"].as_f64().unwrap() > 50.0, "{lowest}");
    assert_eq!(
        report["partitions"][3]["layer_step"]["position"],
        report["partitions"][3]["outputs"][0]["lowest"]["position"]
    );

    // Every output of the language model is followed up its own way.
    let logits = weak(3, "logits");
    let early = weak(3, "layers.1.k_new");
    let layers = |weak: &Value| -> Vec<String> {
        weak["causes"].as_array().unwrap().iter().map(|cause| cause["layer"].as_str().unwrap().to_string()).collect()
    };
    assert!(
        !layers(&early).iter().any(|name| name.starts_with("layers.2") || name == "logits"),
        "{:?}",
        layers(&early)
    );
    assert!(logits["layer_step_db"]["simulated"].is_f64(), "{logits}");
    let few = logits["causes"].as_array().unwrap().iter().find(|cause| cause["cause"] == "few-bits").unwrap().clone();
    let (layer, help) = (few["layer"].as_str().unwrap(), few["help"].as_str().unwrap());
    assert!(help.contains("sa8295p takes") && help.contains("kB more"), "{help}");
    let words: Vec<&str> = help.split('"').collect();
    let (tensor, integer) = (words[1], words[3]);
    assert!(out.contains(tensor), "{out}");
    desk.recipe(&format!("{SMALL_RECIPE}\n[[override]]\ntensor = \"{tensor}\"\ntype = \"{integer}\"\n"));
    let before = report["partitions"][3]["binary_bytes"].as_u64().unwrap();
    let (status, _, err) = desk.compile(&["--encodings", &narrow, "--layers", "simulated", "--max-difference", "99"]);
    assert_eq!(status, 0, "{err}");
    let now = desk.report();
    let bits = |report: &Value| {
        let all = report["partitions"][3]["layers"].as_array().unwrap();
        all.iter().find(|found| found["name"] == layer).unwrap()["bits"].as_str().unwrap().to_string()
    };
    assert_eq!([bits(&report).as_str(), bits(&now).as_str()], ["W4A16", "W8A16"]);
    assert!(now["partitions"][3]["binary_bytes"].as_u64().unwrap() > before);
}
