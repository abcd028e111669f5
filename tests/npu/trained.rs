//! The trained model: what PyTorch answers, the NPU answers.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use autoneural::engine::EngineKind;
use autoneural::host::{Sampler, load_image};
use autoneural::runner::Model;
use serde_json::Value;

use crate::common::{GOLDEN, root, succeed, toolkit};

const GRAPH: &str = "graphs/autoneural-tiny.toml";
const WEIGHTS: &str = "models/autoneural-tiny";
const ENCODINGS: &str = "models/autoneural-tiny/encodings.json";
const RECIPE: &str = "calibration/demo.toml";
const SET: &str = "calibration/demo-eval";

/// Compiled as `make demo` does, once.
fn bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trained");
        let (out_text, toolkit) = (out.display().to_string(), toolkit().display().to_string());
        succeed(&[
            "compile",
            GRAPH,
            "--weights",
            WEIGHTS,
            "--encodings",
            ENCODINGS,
            "--calibration",
            RECIPE,
            "--target",
            "sa8295p",
            "--out",
            &out_text,
            "--require-npu",
            "--force",
            "--toolkit",
            &toolkit,
            "-q",
        ]);
        out
    })
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("the file")).expect("JSON")
}

#[test]
fn float_answers_are_those_of_pytorch_token_for_token() {
    let golden = json(&root(GOLDEN).join("answers.json"));
    let golden = golden.as_array().expect("answers");
    assert!(golden.len() >= 50, "{}", golden.len());
    crate::common::serve();
    let model = Model::open(bundle(), &[EngineKind::Float], &autoneural::progress::Silent).expect("the bundle");
    let mut generator = model.generator(EngineKind::Float, None).expect("the engine");
    let questions = autoneural::evaluate::Set::read(&root(SET)).expect("the set");
    let tokens = |value: &Value| -> Vec<u64> {
        value.as_array().expect("tokens").iter().map(|token| token.as_u64().expect("a token")).collect()
    };
    for (question, golden) in questions.first(Some(golden.len())).iter().zip(golden) {
        let message =
            autoneural::host::Message::new(autoneural::host::Role::User, question.images.len(), &question.question);
        let prompt = model.tokens(&[message]).expect("a prompt");
        assert_eq!(prompt.iter().map(|&t| u64::from(t)).collect::<Vec<_>>(), tokens(&golden["prompt"]));
        let mut visual = Vec::new();
        for image in &question.images {
            let image = load_image(image, model.definition().seeing().unwrap()).expect("an image");
            visual.extend(generator.see(&image).expect("features").embeds);
        }
        let mut generation = generator.begin().expect("a sequence");
        generator.extend(&mut generation, &prompt, &visual).expect("prefill");
        let mut said = Vec::new();
        let mut keep = |token| {
            said.push(u64::from(token));
            Ok(())
        };
        generator.answer(&mut generation, &mut Sampler::greedy(), 64, &mut keep).expect("an answer");
        assert_eq!(said, tokens(&golden["answer"]), "{}: {}", question.place, question.question);
    }
}

#[test]
fn the_npu_sees_and_answers_as_float_does() {
    let toolkit = toolkit().display().to_string();
    let bundle_text = bundle().display().to_string();
    let report = json(&bundle().join("report.json"));
    let vision = &report["partitions"][0]["outputs"][0]["sqnr_db"];
    assert!(vision["npu"].as_f64().expect("a figure") >= 45.0, "{vision}");
    let made = succeed(&[
        "eval",
        &bundle_text,
        "--set",
        SET,
        "--on",
        "float,npu",
        "--limit",
        "12",
        "--toolkit",
        &toolkit,
        "--json",
    ]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    for engine in made["engines"].as_array().expect("engines") {
        assert!(engine["total"]["exact_match_percent"].as_f64().expect("a figure") >= 75.0, "{engine}");
    }
    let npu = &made["engines"][1]["total"];
    assert!(npu["token_agreement_percent"].as_f64().expect("a figure") >= 95.0, "{npu}");
}

#[test]
fn one_question_is_answered_three_ways() {
    let toolkit = toolkit().display().to_string();
    let line = std::fs::read_to_string(root(SET).join("questions.jsonl")).expect("the set");
    let wanted: Value = serde_json::from_str(line.lines().next().expect("a line")).expect("JSON");
    let bundle_text = bundle().display().to_string();
    let mut args = vec!["run", &bundle_text, "--on", "float,simulated,npu", "--toolkit", &toolkit, "--json"];
    let images: Vec<String> = wanted["images"]
        .as_array()
        .expect("images")
        .iter()
        .map(|image| root(SET).join(image.as_str().expect("a path")).display().to_string())
        .collect();
    images.iter().for_each(|image| args.extend(["--image", image]));
    args.extend(["--prompt", wanted["question"].as_str().expect("a question")]);
    let made: Value = serde_json::from_str(&succeed(&args)).expect("JSON");
    let answers = made["answers"].as_array().expect("answers");
    assert_eq!(answers.len(), 3);
    for answer in answers {
        assert_eq!(answer["text"], wanted["answer"], "{answer}");
        assert_eq!(answer["stop"], "eos");
    }
}
