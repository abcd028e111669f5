//! `autoneural eval` of a model that takes arrays: right classes, outputs against float, the page, the gate, and what
//! is no set.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value;

use crate::common::bench::INPUT;
use crate::common::{autoneural, copy, json, numbers, root, stderr, stdout, succeed, toolkit};

const CLASSES: usize = 10;
const SAMPLES: usize = 24;
const ELEMENTS: usize = 3 * 16 * 16;

/// Samples of the classifier, each with a label: the classes in turn.
fn write(path: &Path, count: usize, has_labels: bool) {
    let images: Vec<u8> = numbers(count * ELEMENTS, 5).iter().flat_map(|value| value.to_le_bytes()).collect();
    let labels: Vec<u8> = (0..count as i64).flat_map(|at| (at % CLASSES as i64).to_le_bytes()).collect();
    let mut arrays = vec![("image", TensorView::new(Dtype::F32, vec![count, 1, 3, 16, 16], &images).unwrap())];
    if has_labels {
        arrays.push(("labels", TensorView::new(Dtype::I64, vec![count], &labels).unwrap()));
    }
    std::fs::write(path, serialize(arrays, None).unwrap()).unwrap();
}

/// The classifier of the fixtures, compiled for the NPU.
fn classifier() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (out, samples) = (folder.join("classifier"), folder.join("classifier.safetensors"));
        write(&samples, 8, true);
        let model = root("tests/fixtures/onnx/classifier.onnx");
        let all = [&model, &samples, &out, &toolkit()].map(|path| path.display().to_string());
        let [model, samples, out_text, toolkit] = &all;
        let more = ["--target", "sa8295p", "--out", out_text, "--toolkit", toolkit, "--force"];
        succeed(&[&["compile", model, "--calibration", samples, "-q"], more.as_slice()].concat());
        out
    })
}

/// A copy of the bundle, with sets beside it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        copy(classifier(), &bench.path("bundle"));
        write(&bench.path("set.safetensors"), SAMPLES, true);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Photographs in folders of these names, one in each.
    fn folders(&self, names: &[&str]) {
        for (at, name) in names.iter().enumerate() {
            std::fs::create_dir_all(self.path("photos").join(name)).unwrap();
            let photo = root("calibration/photos").join(["cat.jpg", "dogs.jpg"][at % 2]);
            std::fs::copy(photo, self.path("photos").join(name).join("a.jpg")).unwrap();
        }
    }

    fn run(&self, set: &str, more: &[&str]) -> std::process::Output {
        let (bundle, set) = (self.text("bundle"), self.text(set));
        let toolkit = toolkit().display().to_string();
        autoneural(&[&["eval", &bundle, "--set", &set, "--toolkit", &toolkit], more].concat())
    }

    fn eval(&self, set: &str, more: &[&str]) -> Value {
        let output = self.run(set, &[&["--json"], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    }

    /// Nothing is written of an evaluation that fails.
    fn refuse(&self, set: &str, more: &[&str], wanted: &[&str]) {
        let report = self.path("bundle/report.json");
        let before = std::fs::read(&report).unwrap();
        let output = self.run(set, more);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(INPUT), "{set} {more:?}: {text}");
        wanted.iter().for_each(|wanted| assert!(text.contains(wanted), "`{wanted}` is not in: {text}"));
        assert_eq!(before, std::fs::read(&report).unwrap());
    }
}

fn engine<'a>(found: &'a Value, name: &str) -> &'a Value {
    found["engines"].as_array().unwrap().iter().find(|engine| engine["engine"] == name).unwrap()
}

#[test]
fn classes_are_counted_and_outputs_compared_on_every_engine() {
    let bench = Bench::new();
    let found = bench.eval("set.safetensors", &["--on", "npu,simulated,float"]);
    assert_eq!((&found["samples"], &found["in_set"]), (&SAMPLES.into(), &SAMPLES.into()));
    assert_eq!(found["classes_of"], "classifier/scores");
    let names: Vec<&Value> = found["engines"].as_array().unwrap().iter().map(|engine| &engine["engine"]).collect();
    assert_eq!(names[0], "float");
    let float = engine(&found, "float");
    assert!(float.get("outputs").is_none() && float["classes"].get("agreement_percent").is_none());
    for name in ["simulated", "npu"] {
        let of = engine(&found, name);
        let output = &of["outputs"][0];
        let db = |figure: &str| output[figure].as_f64().unwrap();
        assert!(db("worst_db") <= db("percentile5_db") && db("percentile5_db") <= db("sqnr_db") + 3.0, "{output}");
        assert!(db("worst_db") > 30.0 && output["cosine"].as_f64().unwrap() > 0.999, "{output}");
        assert!(output["worst"].as_str().unwrap().starts_with("set.safetensors["), "{output}");
        assert!(of["classes"]["agreement_percent"].as_f64().unwrap() > 90.0, "{of}");
        assert_eq!(of["classes"]["top1_percent"], float["classes"]["top1_percent"]);
    }
    // Against the reference's own classes, sample by sample: the labels are the classes in turn.
    let top1 = float["classes"]["top1_percent"].as_f64().unwrap() * SAMPLES as f64 / 100.0;
    assert!((top1 - top1.round()).abs() < 1e-2 && top1 < SAMPLES as f64, "{float}");
    assert!(float["classes"]["top5_percent"].as_f64() >= float["classes"]["top1_percent"].as_f64());
    let report = json(&bench.path("bundle/report.json"));
    // What is printed has the verdict beside it.
    let mut printed = found.clone();
    assert_eq!(printed.as_object_mut().unwrap().remove("verdict"), Some(report["verdict"].clone()));
    assert_eq!(report["array_evaluations"][0], printed);
    // The same again computes nothing, and a part of it is found in what was kept.
    let journal = |bench: &Bench| crate::common::files(&bench.path("bundle/.evaluation"));
    let kept = journal(&bench);
    assert_eq!(bench.eval("set.safetensors", &["--on", "npu,simulated,float"]), found);
    let part = bench.eval("set.safetensors", &["--on", "float,npu", "--limit", "6"]);
    assert_eq!((&part["samples"], &part["in_set"]), (&6.into(), &SAMPLES.into()));
    assert_eq!(journal(&bench), kept);
    assert_eq!(json(&bench.path("bundle/report.json"))["array_evaluations"].as_array().unwrap().len(), 2);
}

#[test]
fn the_page_and_the_gate_take_the_figures() {
    let bench = Bench::new();
    bench.eval("set.safetensors", &["--on", "float,npu"]);
    let [bundle, page, baseline] = ["bundle", "page.html", "baseline.json"].map(|name| bench.text(name));
    succeed(&["report", &bundle, "--out", &page]);
    let html = std::fs::read_to_string(&page).unwrap();
    for wanted in ["Sets of samples", "top-1", "class of float", "5th percentile", "samples of set.safetensors"] {
        assert!(html.contains(wanted), "`{wanted}` is not in the page");
    }
    succeed(&["gate", &bundle, "--baseline", &baseline, "--update"]);
    let facts = json(&bench.path("baseline.json"));
    let name = format!("{SAMPLES} labelled samples of set.safetensors on npu");
    assert!(facts["sets"][&name]["outputs"]["classifier/scores"]["worst_db"].is_number(), "{facts}");
    succeed(&["gate", &bundle, "--baseline", &baseline]);
    let mut better = facts.clone();
    let set = &mut better["sets"][&name];
    set["top1_percent"] = (set["top1_percent"].as_f64().unwrap() + 2.0).into();
    set["same_class_percent"] = 100.0.into();
    let output = &mut set["outputs"]["classifier/scores"];
    output["sqnr_db"] = (output["sqnr_db"].as_f64().unwrap() + 1.5).into();
    output["worst_db"] = (output["worst_db"].as_f64().unwrap() + 1.5).into();
    std::fs::write(&baseline, better.to_string()).unwrap();
    let gate = autoneural(&["gate", &bundle, "--baseline", &baseline, "--json"]);
    assert_eq!(gate.status.code(), Some(1), "{}", stderr(&gate));
    let judged: Value = serde_json::from_str(&stdout(&gate)).unwrap();
    let failed = judged["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "failed");
    let mut failed: Vec<&str> = failed.map(|check| check["rule"].as_str().unwrap()).collect();
    failed.sort_unstable();
    // One and a half dB are too much of all samples, and not of the worst.
    assert_eq!(failed, ["accuracy", "set-output"]);
    // A worse baseline is refused, a set that is gone cannot be judged.
    let update = autoneural(&["gate", &bundle, "--baseline", &baseline, "--update"]);
    assert_eq!(update.status.code(), Some(1), "{}", stderr(&update));
    let mut more = facts.clone();
    more["sets"]["9 samples of gone on npu"] = facts["sets"][&name].clone();
    std::fs::write(&baseline, more.to_string()).unwrap();
    let gate = autoneural(&["gate", &bundle, "--baseline", &baseline]);
    assert_eq!(gate.status.code(), Some(2), "{}{}", stdout(&gate), stderr(&gate));
    more["sets"][&name]["top1_percent"] = 101.into();
    std::fs::write(&baseline, more.to_string()).unwrap();
    let gate = autoneural(&["gate", &bundle, "--baseline", &baseline]);
    assert!(stderr(&gate).contains("top-1 101"), "{}", stderr(&gate));
}

/// Goals of right classes end `eval` and fail the gate, and a baseline keeps them.
#[test]
fn goals_of_classes_are_judged() {
    let bench = Bench::new();
    let recipe = "schema = 2\nname = \"classes\"\n[recipe.classifier]\nweights = \"int8\"\n\
                  activations = \"uint16\"\nobserver = \"min-max\"\n[goal.evaluation]\n";
    let model = root("tests/fixtures/onnx/classifier.onnx").display().to_string();
    let compile = |goals: &str| {
        bench.write("recipe.toml", &format!("{recipe}{goals}"));
        let [bundle, samples, recipe] = ["bundle", "set.safetensors", "recipe.toml"].map(|name| bench.text(name));
        let toolkit = toolkit().display().to_string();
        let more = ["--calibration", &samples, "--recipe", &recipe, "--target", "sa8295p", "--toolkit", &toolkit];
        let output = autoneural(&[&["compile", &model, "--out", &bundle, "--force"], more.as_slice()].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let judge = || {
        let output = bench.run("set.safetensors", &["--on", "float,npu"]);
        (output.status.code(), stdout(&output), stderr(&output))
    };
    // Labels are the classes in turn, of which a classifier that nobody trained finds few.
    let text = compile("top1_percent = 99.5\ntop5_percent = 0\ntop1_loss_points = 100\n");
    assert!(text.contains("--set SET --on float,npu"), "{text}");
    let (status, out, err) = judge();
    assert_eq!(status, Some(6), "{out}{err}");
    assert!(out.contains("verdict: 1 of 3 goals is missed"), "{out}");
    assert!(err.contains("set.safetensors: top-1 ") && err.contains("wanted at least 99.5 %"), "{err}");
    let [bundle, baseline] = ["bundle", "baseline.json"].map(|name| bench.text(name));
    let update = autoneural(&["gate", &bundle, "--baseline", &baseline, "--update"]);
    let gate = autoneural(&["gate", &bundle, "--baseline", &baseline]);
    assert_eq!(gate.status.code(), Some(1), "{}{}", stderr(&update), stdout(&gate));
    assert!(stdout(&gate).contains("set.safetensors: top-1 ") && stdout(&gate).contains("goal-missed"));
    let facts = json(&bench.path("baseline.json"));
    assert_eq!(facts["goals"]["samples"]["top1"], 99.5, "{}", facts["goals"]);
    assert!(facts["sets"].to_string().contains("top5_percent"), "{}", facts["sets"]);
    // With what it reaches all goals are met; but a goal was lowered.
    compile("top1_percent = 0\ntop5_percent = 0\ntop1_loss_points = 100\n");
    let (status, out, err) = judge();
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(out.contains("all 3 goals are met on the NPU"), "{out}");
    let gate = autoneural(&["gate", &bundle, "--baseline", &baseline]);
    assert_eq!(gate.status.code(), Some(1), "{}", stdout(&gate));
    assert!(stdout(&gate).contains("goal-loosened") && !stdout(&gate).contains("goal-missed"), "{}", stdout(&gate));
}

#[test]
fn labels_are_folders_lists_or_arrays() {
    let bench = Bench::new();
    let names: Vec<String> = (0..CLASSES).map(|class| format!("class-{class}")).collect();
    bench.folders(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut list = "label\tfile\n".to_string();
    (0..CLASSES).for_each(|class| list.push_str(&format!("{class}\tphotos/class-{class}/a.jpg\n")));
    bench.write("list.tsv", &list);
    let words: Vec<String> = names.iter().map(|name| format!("\"photos/{name}/a.jpg\",{name}")).collect();
    bench.write("list.csv", &words.join("\n"));
    bench.write("classes.txt", &names.join("\n"));
    let of = |set: &str, more: &[&str]| {
        let found = bench.eval(set, &[&["--on", "float"], more].concat());
        (found["engines"][0]["classes"].clone(), found["samples"].clone())
    };
    let folders = of("photos", &[]);
    assert_eq!(folders.1, CLASSES);
    assert_eq!(of("list.tsv", &[]), folders);
    assert_eq!(of("list.csv", &["--classes", &bench.text("classes.txt")]), folders);
    assert_eq!(of("photos", &["--output", "scores"]), folders);
    // Of two pictures one class is float's for each, so that at most two of ten are right.
    assert!(folders.0["top1_percent"].as_f64().unwrap() <= 20.0, "{folders:?}");
    let found = bench.eval("photos", &["--on", "float,simulated", "--unlabelled"]);
    assert!(found.get("classes_of").is_none() && found["engines"][1]["outputs"][0]["sqnr_db"].is_number());
    assert!(found["engines"][1].get("classes").is_none());
}

#[test]
fn what_is_no_set_is_refused_by_its_place() {
    let bench = Bench::new();
    bench.folders(&["cat", "dog"]);
    bench.write("ten.csv", "file,label\nphotos/cat/a.jpg,3\nphotos/dog/a.jpg,10\n");
    bench.write("words.csv", "photos/cat/a.jpg,cat\n");
    bench.write("three.csv", "photos/cat/a.jpg,1,2\n");
    bench.write("half.csv", "file,label\nphotos/cat/a.jpg,\n");
    bench.write("gone.csv", "file,label\nphotos/cow/a.jpg,1\n");
    bench.write("out.csv", "file,label\n../a.jpg,1\n");
    bench.write("none.csv", "file,label\n");
    bench.write("torn.csv", "file,label\n\"photos/cat/a.jpg,1\n");
    bench.write("many.csv", "file,label\nset.safetensors,1\n");
    bench.write("two.txt", "cat\ndog\n");
    bench.write("twice.txt", &format!("cat\n{}", "dog\n".repeat(9)));
    write(&bench.path("plain.safetensors"), 4, false);
    std::fs::write(bench.path("binary.csv"), [0xff, 0xfe, 0, 1]).unwrap();
    let float: &[&str] = &["--on", "float"];
    bench.refuse("ten.csv", float, &["ten.csv:3", "label `10`", "0 to 9"]);
    bench.refuse("words.csv", float, &["words.csv:1", "label `cat`", "--classes"]);
    bench.refuse("three.csv", float, &["three.csv:1", "has 3 fields"]);
    bench.refuse("half.csv", float, &["half.csv:2", "no label"]);
    bench.refuse("gone.csv", float, &["gone.csv:2", "is not there"]);
    bench.refuse("out.csv", float, &["out.csv:2", "leaves the folder"]);
    bench.refuse("none.csv", float, &["none.csv", "names no sample"]);
    bench.refuse("torn.csv", float, &["torn.csv"]);
    bench.refuse("many.csv", float, &["many.csv:2", "24 samples, for one label"]);
    bench.refuse("binary.csv", float, &["binary.csv"]);
    bench.refuse("missing.csv", float, &["missing.csv"]);
    bench.refuse("photos", float, &["photos/cat", "2 folders", "10 classes", "--classes"]);
    let classes = |name: &str| bench.text(name);
    bench.refuse("photos", &["--on", "float", "--classes", &classes("two.txt")], &["names 2 classes", "has 10"]);
    bench.refuse("photos", &["--on", "float", "--classes", &classes("twice.txt")], &["twice.txt:3", "line 2"]);
    bench.refuse("photos", &["--on", "float", "--output", "boxes"], &["--output boxes", "classifier/scores"]);
    bench.refuse("plain.safetensors", &["--on", "npu"], &["no labels", "add float to --on"]);
    bench.refuse("plain.safetensors", &["--on", "float", "--classes", &classes("two.txt")], &["no labels"]);
    bench.refuse("plain.safetensors", &["--blank"], &["--blank", "takes arrays"]);
    std::fs::copy(root("calibration/photos/cat.jpg"), bench.path("photos/b.jpg")).unwrap();
    bench.refuse("photos", float, &["has no label", "--unlabelled"]);
    // Labels that are too few, and samples that do not fit.
    let bytes = [0u8; 8];
    let image = vec![0u8; 2 * ELEMENTS * 4];
    let few = [
        ("image", TensorView::new(Dtype::F32, vec![2, 1, 3, 16, 16], &image).unwrap()),
        ("labels", TensorView::new(Dtype::I64, vec![1], &bytes).unwrap()),
    ];
    std::fs::write(bench.path("few.safetensors"), serialize(few, None).unwrap()).unwrap();
    bench.refuse("few.safetensors", float, &["labels", "too few"]);
    let flat = [("image", TensorView::new(Dtype::F32, vec![2, 3 * 16 * 16], &image).unwrap())];
    std::fs::write(bench.path("flat.safetensors"), serialize(flat, None).unwrap()).unwrap();
    bench.refuse("flat.safetensors", float, &["flat.safetensors", "[2, 768]"]);
}
