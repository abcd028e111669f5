//! Figures take hours. They stay with the bundle while what they were measured on is unchanged, and it is said when
//! they go.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{GOLDEN, GRAPH, SMALL_RECIPE, WEIGHTS, autoneural, root, stderr, stdout, toolkit};

/// A folder with a recipe, its picture and the bundle.
pub struct Desk {
    folder: TempDir,
}

impl Desk {
    pub fn new(recipe: &str) -> Self {
        let desk = Desk { folder: TempDir::new().unwrap() };
        std::fs::copy(root(GOLDEN).join("photo.png"), desk.path("photo.png")).unwrap();
        desk.recipe(recipe);
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The recipe, with prompts that go through the chat template: raw ones are warned of.
    pub fn recipe(&self, text: &str) {
        std::fs::write(self.path("recipe.toml"), text.replacen("schema = 1", "schema = 2", 1)).unwrap();
    }

    /// Runs a command with the toolkit; gives its exit status, standard output and standard error.
    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        let toolkit = toolkit().display().to_string();
        let output = autoneural(&[args, &["--toolkit", &toolkit]].concat());
        (output.status.code().unwrap(), stdout(&output), stderr(&output))
    }

    /// Compiles the small model; gives what it printed.
    pub fn compile(&self, more: &[&str]) -> (i32, String, String) {
        let (recipe, out) = (self.text("recipe.toml"), self.text("bundle"));
        let args =
            ["compile", GRAPH, "--weights", WEIGHTS, "--calibration", &recipe, "--target", "sa8295p", "--out", &out];
        self.run(&[&args, more].concat())
    }

    /// Compiles the small model and expects that it is good enough; gives standard output and standard error.
    fn compiled(&self, more: &[&str]) -> (String, String) {
        let (status, out, err) = self.compile(&[more, &["--max-difference", "99"]].concat());
        assert_eq!(status, 0, "{err}");
        (out, err)
    }

    pub fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("bundle/report.json")).unwrap()).unwrap()
    }
}

/// Figures of a report's partitions, its sequences, its evaluations and texts, without what they were measured on.
fn figures(report: &Value) -> Vec<Value> {
    let partitions = report["partitions"].as_array().unwrap();
    let of = |one: &Value| ["outputs", "steps", "layers", "layer_step"].map(|key| one[key].clone());
    let mut made: Vec<Value> = partitions.iter().flat_map(of).collect();
    made.extend(["chain", "evaluations", "texts"].map(|key| report[key].clone()));
    made
}

/// Warnings of a verification.
fn dropped(report: &Value) -> Vec<String> {
    let all = report["warnings"].as_array().cloned().unwrap_or_default();
    let of_verify = all.iter().filter(|one| one["stage"] == "verify");
    of_verify.map(|one| format!("{}: {}", one["place"].as_str().unwrap(), one["message"].as_str().unwrap())).collect()
}

#[test]
fn a_run_that_measures_less_keeps_what_was_measured() {
    let desk = Desk::new(SMALL_RECIPE);
    desk.compiled(&["--layers", "simulated"]);
    let set = desk.path("set");
    std::fs::create_dir(&set).unwrap();
    std::fs::write(set.join("questions.jsonl"), "{\"use\": \"a\", \"question\": \"Who?\", \"answer\": \"Nobody.\"}\n")
        .unwrap();
    let (bundle, recipe, set) = (desk.text("bundle"), desk.text("recipe.toml"), set.display().to_string());
    let (status, _, err) = desk.run(&["eval", &bundle, "--set", &set, "--on", "float,simulated"]);
    assert_eq!(status, 0, "{err}");
    let prose = desk.path("prose.txt");
    std::fs::write(&prose, "The lamp of the door is lit, and the car stands still. ".repeat(20)).unwrap();
    let prose = prose.display().to_string();
    let of_text = ["eval", &bundle, "--text", &prose, "--window", "32", "--windows", "0..1", "--on", "float,simulated"];
    let (status, _, err) = desk.run(&of_text);
    assert_eq!(status, 0, "{err}");
    let first = desk.report();
    assert!(first["texts"][0]["engines"].as_array().is_some_and(|engines| engines.len() == 2));
    assert!(first["evaluations"][0]["engines"].as_array().is_some_and(|engines| engines.len() == 2));
    assert!(first["chain"]["logits_sqnr_db"]["npu"].is_f64() && first["partitions"][3]["layers"][0].is_object());
    for more in [&["--verify", "none"][..], &["--verify", "vision"], &["--layers", "simulated"], &[]] {
        let (out, err) = desk.compiled(more);
        let now = desk.report();
        assert_eq!((figures(&now), dropped(&now)), (figures(&first), vec![]), "{more:?}");
        assert!(
            !err.contains("verify:") || err.contains("verify: unchanged") || !err.contains("step"),
            "{more:?}: {err}"
        );
        assert!(!err.contains("measure layers"), "{more:?}: {err}");
        assert!(out.contains("2 steps in chains") && !out.contains("nothing was compared"), "{out}");
    }
    let (status, _, err) =
        desk.run(&["verify", &bundle, "--calibration", &recipe, "--verify", "projector", "--max-difference", "99"]);
    assert_eq!(status, 0, "{err}");
    assert_eq!(figures(&desk.report()), figures(&first));
}

#[test]
fn a_narrower_verification_is_added_to_what_is_there() {
    let desk = Desk::new(SMALL_RECIPE);
    desk.compiled(&["--verify", "vision", "--layers", "simulated"]);
    let vision = desk.report()["partitions"][0].clone();
    assert!(desk.report()["partitions"][1]["outputs"][0]["sqnr_db"]["npu"].is_null());
    let (bundle, recipe) = (desk.text("bundle"), desk.text("recipe.toml"));
    let (status, out, err) = desk.run(&["verify", &bundle, "--calibration", &recipe, "--verify", "projector"]);
    assert_eq!(status, 0, "{err}");
    let report = desk.report();
    assert_eq!(report["partitions"][0], vision);
    assert!(report["partitions"][1]["outputs"][0]["sqnr_db"]["npu"].is_f64(), "{out}");
    assert_eq!(report["samples"]["extent"]["partitions"], serde_json::json!(["vision", "projector"]));
    assert!(out.contains("only these steps were compared with float: vision 1 of 1; projector 1 of 1"), "{out}");
}

#[test]
fn figures_whose_models_changed_are_dropped_and_that_is_said() {
    let desk = Desk::new(SMALL_RECIPE);
    desk.compiled(&["--layers", "simulated"]);
    let first = desk.report();
    // One weight of the language model in other bits: vision and projector stay as they are.
    let exception = "[[override]]\ntensor = \"layers.2.feed_forward.w2.weight\"\ntype = \"int8\"\n";
    desk.recipe(&format!("{SMALL_RECIPE}\n{exception}"));
    let (out, err) = desk.compiled(&["--verify", "none"]);
    let now = desk.report();
    let said = dropped(&now);
    for (at, name) in ["vision", "projector", "language.prefill", "language.decode"].into_iter().enumerate() {
        let [was, is] = [&first, &now].map(|report| report["partitions"][at].clone());
        let line = format!("{name}: figures of outputs were dropped: its encodings changed");
        match at < 2 {
            true => assert_eq!([&is["outputs"], &is["layers"]], [&was["outputs"], &was["layers"]], "{name}"),
            false => assert!(is["outputs"][0]["sqnr_db"]["npu"].is_null() && is["layers"].is_null(), "{name}"),
        }
        assert_eq!(said.contains(&line), at >= 2, "{said:?}");
        assert_eq!(err.contains(&line), at >= 2, "{err}");
        assert_eq!(said.contains(&line.replace("outputs", "layers")), at >= 2, "{said:?}");
    }
    assert!(said.iter().any(|line| line.starts_with("sequences: ")) && now["chain"]["steps"] == 0, "{said:?}");
    assert!(out.contains("language.decode   140/140"), "{out}");
    // Other samples: what was measured on the old ones goes, layers too.
    desk.recipe(&format!("{}\n{exception}", SMALL_RECIPE.replace("Where?", "Where is it?")));
    desk.compiled(&["--verify", "none"]);
    let said = dropped(&desk.report());
    assert!(
        said.contains(&"vision: figures of outputs were dropped: the verification samples changed".into()),
        "{said:?}"
    );
    assert!(said.iter().any(|line| line.starts_with("vision: figures of layers were dropped")), "{said:?}");
    // What is gone is said once.
    desk.compiled(&["--verify", "none"]);
    assert_eq!(dropped(&desk.report()), Vec::<String>::new());
}

#[test]
fn a_report_from_elsewhere_is_not_vouched_for() {
    let desk = Desk::new(SMALL_RECIPE);
    desk.compiled(&[]);
    let path = desk.path("bundle/report.json");
    let mut report = desk.report();
    report["partitions"][0]["outputs"][0]["sqnr_db"]["npu"] = 199.0.into();
    // In place, as somebody would who wants other figures, with a manifest that lists it.
    let text = report.to_string();
    std::fs::write(&path, &text).unwrap();
    let manifest = desk.path("bundle/manifest.json");
    let mut listed: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    for file in listed["files"].as_array_mut().unwrap().iter_mut().filter(|file| file["path"] == "report.json") {
        file["bytes"] = text.len().into();
        file["sha256"] = autoneural::bundle::hash_bytes(text.as_bytes()).into();
    }
    std::fs::write(&manifest, listed.to_string()).unwrap();
    desk.compiled(&["--verify", "none"]);
    let now = desk.report();
    assert!(now["partitions"][0]["outputs"][0]["sqnr_db"]["npu"].is_null());
    let said = dropped(&now);
    assert!(
        said.iter().any(|line| line.contains("vision: figures of outputs were dropped: the report was not written"))
    );
}
