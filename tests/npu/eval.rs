//! `autoneural eval`: what a user sees of it.

use std::path::PathBuf;

use autoneural::engine::EngineKind;
use autoneural::progress::Silent;
use autoneural::runner::Model;
use serde_json::Value;

use crate::common::bench::INPUT;
use crate::common::{autoneural, copy, demo_bundle, root, serve, stderr, stdout, succeed, toolkit};

const SET: &str = "\
{\"use\": \"cats\", \"images\": [\"cat.jpg\"], \"question\": \"What colour are the eyes?\", \"answer\": \"Green.\"}

{\"use\": \"dogs\", \"images\": [\"dogs.jpg\", \"cat.jpg\"], \"question\": \"Which picture shows dogs?\", \"answer\": \
\"The first.\"}
{\"use\": \"cats\", \"question\": \"What does a cat say?\", \"answer\": \"It says nothing.\"}
";

/// A copy of the compiled bundle and a set beside it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Bench { folder: tempfile::tempdir().expect("a folder") };
        copy(demo_bundle(), &bench.path("bundle"));
        std::fs::create_dir(bench.path("set")).expect("a folder");
        for photo in ["cat.jpg", "dogs.jpg"] {
            let from = root("calibration/photos").join(photo);
            std::fs::copy(from, bench.path("set").join(photo)).expect("a photo");
        }
        bench.write_set(SET);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write_set(&self, text: &str) {
        std::fs::write(self.path("set/questions.jsonl"), text).expect("the set");
    }

    fn eval(&self, more: &[&str]) -> Value {
        let (bundle, set) = (self.text("bundle"), self.text("set"));
        let toolkit = toolkit().display().to_string();
        let args = [&["eval", &bundle, "--set", &set, "--toolkit", &toolkit, "--json"], more].concat();
        serde_json::from_str(&succeed(&args)).expect("JSON")
    }

    fn refuse(&self, status: i32, wanted: &[&str]) {
        let (bundle, set) = (self.text("bundle"), self.text("set"));
        let before = std::fs::read(self.path("bundle/report.json")).expect("the report");
        let output = autoneural(&["eval", &bundle, "--set", &set, "--on", "float"]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{text}");
        wanted.iter().for_each(|wanted| assert!(text.contains(wanted), "`{wanted}` is not in: {text}"));
        assert!(stdout(&output).is_empty());
        assert_eq!(before, std::fs::read(self.path("bundle/report.json")).expect("the report"));
    }

    fn journal(&self, engine: &str) -> PathBuf {
        let mut found = self.path("bundle/.evaluation");
        for _ in 0..2 {
            found = std::fs::read_dir(&found).expect("a folder").next().expect("an entry").expect("an entry").path();
        }
        found.join(format!("{engine}.jsonl"))
    }
}

#[test]
fn all_engines_answer_and_the_report_keeps_the_figures() {
    let bench = Bench::new();
    let made = bench.eval(&["--on", "npu,float,simulated"]);
    let engines = made["engines"].as_array().expect("engines");
    let names: Vec<&str> = engines.iter().map(|engine| engine["engine"].as_str().expect("a name")).collect();
    assert_eq!(names[0], "float");
    assert_eq!(names.len(), 3);
    for engine in engines {
        let total = &engine["total"];
        assert_eq!(total["questions"], 3);
        assert_eq!(engine["uses"]["cats"]["questions"], 2);
        assert_eq!(engine["uses"]["dogs"]["questions"], 1);
        assert!(total["perplexity"].as_f64().expect("a number") > 1.0);
        let compared = engine["engine"] != "float";
        assert_eq!(total["token_agreement_percent"].is_number(), compared);
        for figure in ["features_sqnr_db", "logits_sqnr_db"] {
            assert_eq!(total[figure].as_f64().is_some_and(|db| db > 1.0), compared, "{figure}: {engine}");
        }
    }
    let report: Value =
        serde_json::from_slice(&std::fs::read(bench.path("bundle/report.json")).expect("the report")).expect("JSON");
    let mut figures = made.clone();
    assert_eq!(figures.as_object_mut().and_then(|figures| figures.remove("verdict")), Some(report["verdict"].clone()));
    assert_eq!(report["evaluations"][0], figures);
    // The bundle is whole, and its other figures stand.
    assert_eq!(report["partitions"].as_array().map(Vec::len), Some(4));
    succeed(&["inspect", &bench.text("bundle")]);
    // Asking the same again replaces the figures, and computes nothing.
    let lines = std::fs::read(bench.journal("npu")).expect("the journal");
    assert_eq!(bench.eval(&["--on", "npu,float,simulated"]), made);
    assert_eq!(std::fs::read(bench.journal("npu")).expect("the journal"), lines);
}

#[test]
fn a_run_that_was_stopped_goes_on_where_it_was() {
    let (stopped, whole) = (Bench::new(), Bench::new());
    stopped.eval(&["--on", "float,simulated", "--limit", "2"]);
    // As a kill in the middle of a line leaves it.
    let journal = stopped.journal("simulated");
    let mut lines = std::fs::read(&journal).expect("the journal");
    lines.truncate(lines.len() - 10);
    std::fs::write(&journal, &lines).expect("the journal");
    let wanted = whole.eval(&["--on", "float,simulated"]);
    let mut made = stopped.eval(&["--on", "float,simulated"]);
    // The places name the set's folder.
    for (made, wanted) in
        made["engines"].as_array_mut().expect("engines").iter_mut().zip(wanted["engines"].as_array().expect("engines"))
    {
        made["wrong"].clone_from(&wanted["wrong"]);
    }
    assert_eq!(made, wanted);
    assert_eq!(std::fs::read_to_string(&journal).expect("the journal").lines().count(), 3);
}

#[test]
fn other_models_start_anew() {
    let bench = Bench::new();
    bench.eval(&["--on", "float"]);
    let before = bench.journal("float");
    // A wider range of one value makes other models.
    let table = std::fs::read(bench.path("bundle/encodings/projector.json")).expect("the encodings");
    let mut table: Value = serde_json::from_slice(&table).expect("JSON");
    let entries = table["activation_encodings"].as_array_mut().expect("entries");
    entries.retain(|entry| entry["name"] == "linear_1");
    entries[0]["scale"][0] = (entries[0]["scale"][0].as_f64().expect("a scale") * 1.25).into();
    table["param_encodings"] = Value::Array(vec![]);
    std::fs::write(bench.path("wider.json"), table.to_string()).expect("written");
    succeed(&["quantize", &bench.text("bundle"), "-q", "--encodings", &bench.text("wider.json")]);
    succeed(&["emit", &bench.text("bundle"), "-q"]);
    let (bundle, set) = (bench.text("bundle"), bench.text("set"));
    let output = autoneural(&["eval", &bundle, "--set", &set, "--on", "float"]);
    assert_eq!(output.status.code(), Some(INPUT));
    assert!(stderr(&output).contains("`verify` has not run"), "{}", stderr(&output));
    let toolkit = toolkit().display().to_string();
    let recipe = root(crate::common::RECIPE).display().to_string();
    succeed(&["verify", &bundle, "--calibration", &recipe, "--toolkit", &toolkit, "-q"]);
    bench.eval(&["--on", "float"]);
    assert!(!before.exists(), "what was computed with the context binaries of before is gone");
}

#[test]
fn figures_against_float_are_there_also_where_float_comes_later() {
    let bench = Bench::new();
    let alone = bench.eval(&["--on", "simulated"]);
    assert!(alone["engines"][0]["total"]["logits_sqnr_db"].is_null());
    let both = bench.eval(&["--on", "float,simulated"]);
    assert!(both["engines"][1]["total"]["logits_sqnr_db"].is_number(), "{both}");
}

#[test]
fn blanked_pictures_are_another_evaluation() {
    let bench = Bench::new();
    let seen = bench.eval(&["--on", "float"]);
    let blank = bench.eval(&["--on", "float", "--blank"]);
    assert_eq!((&seen["blank"], &blank["blank"]), (&Value::from(false), &Value::from(true)));
    // Without pictures there is nothing to blank.
    let perplexity = |made: &Value, name: &str| made["engines"][0]["uses"][name]["perplexity"].clone();
    assert_ne!(perplexity(&seen, "dogs"), perplexity(&blank, "dogs"));
    let report: Value =
        serde_json::from_slice(&std::fs::read(bench.path("bundle/report.json")).expect("the report")).expect("JSON");
    assert_eq!(report["evaluations"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_table_is_printed() {
    let bench = Bench::new();
    let text = succeed(&["eval", &bench.text("bundle"), "--set", &bench.text("set"), "--on", "float"]);
    assert!(text.starts_with("3 questions of set\n"), "{text}");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for (name, questions) in [("cats", "2"), ("dogs", "1"), ("all", "3")] {
        assert!(rows.iter().any(|row| row.starts_with(&[name, "float", questions])), "no `{name}`: {text}");
    }
}

#[test]
fn bad_sets_are_refused() {
    let bench = Bench::new();
    let line = |images: &str, question: &str, answer: &str| {
        format!("{{\"use\": \"u\", \"images\": [{images}], \"question\": \"{question}\", \"answer\": \"{answer}\"}}\n")
    };
    let cases = [
        (String::new(), vec!["questions.jsonl", "has no questions"]),
        ("{\"use\": 1}\n".into(), vec!["questions.jsonl:1", "invalid type", "a line is"]),
        (line("", "Why?", "So.") + "nonsense\n", vec!["questions.jsonl:2"]),
        (line("", " ", "So."), vec!["questions.jsonl:1", "`question` is empty"]),
        (line("", "Why?", ""), vec!["`answer` is empty"]),
        (line("\"none.png\"", "Why?", "So."), vec!["image `none.png` is missing"]),
        (line("\"../set/cat.jpg\"", "Why?", "So."), vec!["leaves the folder"]),
        (line("\"/etc/passwd\"", "Why?", "So."), vec!["leaves the folder"]),
        (line("\"questions.jsonl\"", "Why?", "So."), vec!["questions.jsonl", "cannot be read as an image"]),
        (line("", "A <image>?", "So."), vec!["questions.jsonl:1", "holds the image placeholder"]),
        (line("", "Why?", "So.<|im_end|>"), vec!["questions.jsonl:1", "special token"]),
        (line("", &"why ".repeat(400), "So."), vec!["questions.jsonl:1", "the context holds"]),
    ];
    for (text, wanted) in cases {
        bench.write_set(&text);
        bench.refuse(INPUT, &wanted);
    }
    std::fs::remove_file(bench.path("set/questions.jsonl")).expect("removed");
    bench.refuse(INPUT, &["questions.jsonl", "a set is a folder"]);
}

/// Prose of more than two windows of 96 tokens.
fn prose(bench: &Bench) -> String {
    let sentence = "The lamp of the door is lit, and the car stands still until somebody closes it again. ";
    std::fs::write(bench.path("prose.txt"), sentence.repeat(12)).expect("a text");
    bench.text("prose.txt")
}

#[test]
fn a_text_is_as_likely_in_chunks_as_token_by_token() {
    let bench = Bench::new();
    let (text, bundle, toolkit) = (prose(&bench), bench.text("bundle"), toolkit().display().to_string());
    let ask = |windows: &str| -> Value {
        let args = ["eval", &bundle, "--text", &text, "--window", "96", "--windows", windows, "--json"];
        let on = ["--on", "npu,simulated,float", "--toolkit", &toolkit];
        serde_json::from_str(&succeed(&[&args[..], &on].concat())).expect("JSON")
    };
    let found = ask("1..2");
    assert_eq!((&found["judged"], &found["windows"]), (&95.into(), &"1..2".into()));
    let engines = found["engines"].as_array().expect("engines");
    assert_eq!(engines[0]["engine"], "float");
    serve();
    let model = Model::open(&bench.path("bundle"), &[EngineKind::Float], &Silent).expect("the model");
    let words = std::fs::read_to_string(&text).expect("the text");
    let tokens = model.tokenizer().plain(&words).expect("tokens")[96..192].to_vec();
    let mut generator = model.generator(EngineKind::Float, None).expect("a generator");
    let mut taken = generator.begin().expect("a sequence");
    let mut log_probability = 0.0;
    for pair in tokens.windows(2) {
        generator.extend(&mut taken, &pair[..1], &[]).expect("logits");
        let logits: Vec<f64> = taken.logits().iter().map(|&logit| f64::from(logit)).collect();
        log_probability += logits[pair[1] as usize] - logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
    }
    let (wanted, made) = ((-log_probability / 95.0).exp(), engines[0]["perplexity"].as_f64().expect("a figure"));
    assert!((made / wanted - 1.0).abs() < 1e-3, "{made} in chunks, {wanted} token by token");
    for engine in &engines[1..] {
        let (own, above) = (&engine["perplexity"], &engine["above_float_percent"]);
        let (own, above) = (own.as_f64().expect("a figure"), above.as_f64().expect("a figure"));
        assert!((100.0 * (own / made - 1.0) - above).abs() < 0.01, "{engine}");
        assert!((own.ln() / made.ln() - 1.0).abs() < 0.05, "{engine}");
        assert!(engine["token_agreement_percent"].is_number(), "{engine}");
    }
    // The report has it, beside what other windows gave.
    let both = ask("0..2");
    let report: Value =
        serde_json::from_slice(&std::fs::read(bench.path("bundle/report.json")).expect("the report")).expect("JSON");
    assert_eq!(report["texts"], serde_json::json!([found, both]));
    succeed(&["inspect", &bundle]);
}

#[test]
fn texts_and_windows_that_do_not_fit_are_refused() {
    let bench = Bench::new();
    let (text, bundle) = (prose(&bench), bench.text("bundle"));
    std::fs::write(bench.path("not.txt"), [0xff, 0xfe, 0x00]).expect("a file");
    std::fs::write(bench.path("special.txt"), "<image>".repeat(300)).expect("a file");
    let (not, special) = (bench.text("not.txt"), bench.text("special.txt"));
    for (args, status, word) in [
        (&["--text", &text, "--window", "96", "--windows", "1..99"][..], 3, "whole windows of 96 tokens, not 99"),
        (&["--text", &text, "--window", "4096"], 3, "do not fit"),
        (&["--text", &text, "--window", "1"], 3, "hold none to judge"),
        (&["--text", &not, "--window", "96"], 3, "not.txt"),
        (&["--text", &special, "--window", "96"], 3, "<image>"),
        (&["--text", "nowhere.txt", "--window", "96"], 3, "nowhere.txt"),
        (&["--text", &text, "--windows", "4..4"], 2, "holds no window"),
        (&["--windows", "1..2", "--set", "x"], 3, "--text"),
        (&["--text", &text, "--set", "x"], 2, "cannot be used with"),
        (&[], 2, "--set"),
    ] {
        let output = autoneural(&[&["eval", &bundle, "--on", "float"], args].concat());
        assert_eq!(output.status.code(), Some(status), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{args:?}: {}", stderr(&output));
    }
}
