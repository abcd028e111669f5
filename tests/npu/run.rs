//! `autoneural run`: questions to a bundle, on every engine, once and in a conversation, with good input and bad.

use autoneural::engine::EngineKind;
use autoneural::host::{Generator, Limits, Message, Role, Sampler, Stop};
use autoneural::progress::Silent;
use autoneural::runner::Model;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::common::bench::{Bench, INPUT, TOOLKIT, exported};
use crate::common::{autoneural, demo_bundle, root, runtime, serve, stderr, stdout, succeed, toolkit};

const CAT: &str = "calibration/photos/cat.jpg";
const DOGS: &str = "calibration/photos/dogs.jpg";

/// Arguments of a run on the demo bundle.
fn run_args<'a>(toolkit: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let demo = demo_bundle().to_str().expect("UTF-8");
    [&["run", demo, "--toolkit", toolkit], more].concat()
}

/// Runs with --json and gives the result.
fn ask(more: &[&str]) -> Value {
    let toolkit = toolkit();
    let args = run_args(toolkit.to_str().expect("UTF-8"), &[more, &["--json"]].concat());
    serde_json::from_str(&succeed(&args)).expect("nothing but JSON on standard output")
}

fn demo(kind: EngineKind) -> Model {
    serve();
    Model::open(demo_bundle(), &[kind], &Silent).unwrap_or_else(|error| panic!("{error}"))
}

fn generator(model: &Model, kind: EngineKind) -> Generator<'_> {
    let runtime = (kind != EngineKind::Float).then(runtime);
    model.generator(kind, runtime).unwrap_or_else(|error| panic!("{error}"))
}

fn pixels(model: &Model, path: &str) -> autoneural::engine::Tensor {
    autoneural::host::load_image(&root(path), model.definition().seeing().unwrap())
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_engine_answers_under_its_name() {
    let toolkit = toolkit();
    let more = ["--image", CAT, "--prompt", "Who is it?", "--on", "float,simulated,npu", "--max-tokens", "3"];
    let output = autoneural(&run_args(toolkit.to_str().unwrap(), &more));
    assert!(output.status.success(), "{}", stderr(&output));
    let (said, figures) = (stdout(&output), stderr(&output));
    for engine in ["float", "simulated", "npu"] {
        assert_eq!(said.lines().filter(|line| *line == format!("{engine}:")).count(), 1, "{said}");
        let line = figures.lines().find(|line| line.starts_with(&format!("{engine}: prompt of "))).unwrap();
        assert!(line.contains("(16 visual)") && line.contains("first token after"), "{line}");
    }
}

#[test]
fn json_has_text_tokens_and_figures_of_each_engine() {
    let made = ask(&["--image", CAT, "--image", DOGS, "--prompt", "Which?", "--on", "npu,float", "--max-tokens", "4"]);
    assert_eq!((made["prompt"].as_str(), made["images"][1].as_str()), (Some("Which?"), Some(DOGS)));
    assert!(made["seed"].is_null());
    let answers = made["answers"].as_array().unwrap();
    assert_eq!(answers.iter().map(|a| a["engine"].as_str().unwrap()).collect::<Vec<_>>(), ["npu", "float"]);
    for answer in answers {
        assert!(answer["text"].is_string() && answer["tokens"].as_array().unwrap().len() <= 4, "{answer}");
        assert!(["eos", "max-tokens"].contains(&answer["stop"].as_str().unwrap()), "{answer}");
        assert_eq!((answer["visual_tokens"].as_u64(), answer["reused_tokens"].as_u64()), (Some(32), Some(0)));
        assert!(answer["prompt_tokens"].as_u64().unwrap() > 32);
        assert!(answer["seconds_to_first_token"].as_f64().unwrap() > 0.0);
        assert!(answer["tokens_per_second"].as_f64().unwrap() > 0.0);
    }
    // The NPU is what a built bundle runs on where nothing else is asked for.
    let made = ask(&["--prompt", "Which?", "--max-tokens", "1"]);
    assert_eq!(made["answers"][0]["engine"], "npu");
    assert!(made["answers"][0]["tokens_per_second"].is_null());
}

#[test]
fn the_streamed_text_is_the_text_of_the_result() {
    let toolkit = toolkit();
    let more = ["--prompt", "Tell me a story.", "--on", "float", "--max-tokens", "40"];
    let said = succeed(&run_args(toolkit.to_str().unwrap(), &more));
    let made = ask(&more);
    // To the letter but for what a terminal would obey: this model says a good deal of that.
    let text = made["answers"][0]["text"].as_str().unwrap();
    assert!(text.contains('\u{1b}') && !said.contains('\u{1b}'));
    assert_eq!(said, format!("{}\n", autoneural::shown::lines(text)));
    // -q leaves out the figures and keeps the answer.
    let output = autoneural(&run_args(toolkit.to_str().unwrap(), &[&more[..], &["-q"]].concat()));
    assert_eq!((stdout(&output), stderr(&output)), (said, String::new()));
}

#[test]
fn chance_follows_the_seed() {
    let more = ["--prompt", "Say something.", "--on", "float", "--max-tokens", "12", "--temperature", "5"];
    let tokens = |seed: &str| ask(&[&more[..], &["--seed", seed]].concat())["answers"][0]["tokens"].clone();
    assert_eq!(tokens("1"), tokens("1"));
    assert_ne!(tokens("1"), tokens("2"));
    // A seed that was not given is told, so that the answer can be had again.
    let made = ask(&more);
    assert_eq!(made["answers"][0]["tokens"], tokens(&made["seed"].to_string()));
    let greedy = ask(&more[..6])["answers"][0]["tokens"].clone();
    for narrow in [["--top-k", "1"], ["--top-p", "0.000001"]] {
        assert_eq!(ask(&[&more[..], &narrow].concat())["answers"][0]["tokens"], greedy, "{narrow:?}");
    }
}

#[test]
fn a_prompt_in_chunks_and_token_by_token_gives_the_same_answer() {
    let model = demo(EngineKind::Float);
    let mut generator = generator(&model, EngineKind::Float);
    let visual = generator.see(&pixels(&model, CAT)).unwrap();
    let text = "Is it an animal or a plant, and how many of them are there to be seen from here?";
    let message = Message::new(Role::User, 1, text);
    let tokens = model.tokens(&[message]).unwrap();
    assert!(tokens.len() > 2 * model.definition().language.prefill, "{} tokens", tokens.len());
    let mut chunks = generator.begin().unwrap();
    generator.extend(&mut chunks, &tokens, &visual.embeds).unwrap();
    let mut single = generator.begin().unwrap();
    let (image, mut rows) = (model.definition().language.tokens.image, visual.embeds.chunks(128));
    for &token in &tokens {
        let row = if Some(token) == image { rows.next().unwrap() } else { &[] };
        generator.extend(&mut single, &[token], row).unwrap();
    }
    assert_eq!((chunks.tokens(), single.tokens()), (&tokens[..], &tokens[..]));
    let distance = chunks.logits().iter().zip(single.logits()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(distance < 1e-3, "{distance}");
    let answers = [&mut chunks, &mut single].map(|sequence| {
        let mut answer = Vec::new();
        let keep = &mut |token| {
            answer.push(token);
            Ok(())
        };
        generator.answer(sequence, &mut Sampler::greedy(), 16, keep).unwrap();
        answer
    });
    assert!(!answers[0].is_empty());
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn integers_cross_the_borders_of_the_simulation_and_come_out_in_float() {
    let (float, simulated) = (demo(EngineKind::Float), demo(EngineKind::Simulated));
    let mut real = generator(&float, EngineKind::Float);
    let mut codes = generator(&simulated, EngineKind::Simulated);
    let (real, codes) = (real.see(&pixels(&float, CAT)).unwrap(), codes.see(&pixels(&float, CAT)).unwrap());
    assert_eq!(codes.features.shape, real.features.shape);
    let db = |wanted: &[f32], made: &[f32]| autoneural::verify::Sqnr::of(wanted, made).unwrap();
    assert!(db(real.features.as_f32().unwrap(), codes.features.as_f32().unwrap()) > 25.0);
    assert!(db(&real.embeds, &codes.embeds) > 15.0);
}

#[test]
fn a_conversation_goes_on_where_it_was() {
    let model = demo(EngineKind::Float);
    let limits = Limits { max_tokens: 1, sampling: None };
    let engine = || generator(&model, EngineKind::Float);
    let mut talk = model.conversation(engine(), Some("Be brief."), true, &limits).unwrap();
    let mut said = |_: &str| Ok(());
    let first = talk.ask(&[pixels(&model, CAT)], "What is it?", &mut said).unwrap();
    assert_eq!((first.reused_tokens, first.visual_tokens), (0, 16));
    let second = talk.ask(&[pixels(&model, DOGS)], "And that?", &mut said).unwrap();
    assert_eq!((second.reused_tokens, second.visual_tokens), (first.prompt_tokens, 32));
    // The same conversation from its beginning gives the same answer.
    let mut generator = engine();
    let rows: Vec<f32> =
        [CAT, DOGS].iter().flat_map(|path| generator.see(&pixels(&model, path)).unwrap().embeds).collect();
    let tokens = model.tokens(&[
        Message::new(Role::System, 0, "Be brief."),
        Message::new(Role::User, 1, "What is it?"),
        Message::new(Role::Assistant, 0, &first.text),
        Message::new(Role::User, 1, "And that?"),
    ]);
    let tokens = tokens.unwrap();
    assert_eq!(tokens.len(), second.prompt_tokens);
    let mut sequence = generator.begin().unwrap();
    generator.extend(&mut sequence, &tokens, &rows).unwrap();
    assert_eq!(second.tokens, [autoneural::host::best(sequence.logits())]);
    // After an error the conversation is as before it, and after a reset it is new.
    talk.ask(&[], &"long ".repeat(500), &mut said).unwrap_err();
    assert_eq!(talk.ask(&[], "Sure?", &mut said).unwrap().reused_tokens, second.prompt_tokens);
    // A question that is taken back takes its picture with it.
    talk.ask(&[pixels(&model, CAT)], "This one?", &mut said).unwrap();
    talk.take_back().unwrap();
    let next = talk.ask(&[], "Really?", &mut said).unwrap();
    assert_eq!((next.reused_tokens, next.visual_tokens), (0, 32));
    talk.reset().unwrap();
    let again = talk.ask(&[pixels(&model, CAT)], "What is it?", &mut said).unwrap();
    assert_eq!((again.reused_tokens, again.tokens), (0, first.tokens));
}

#[test]
fn an_answer_ends_where_the_context_does() {
    let model = demo(EngineKind::Float);
    let context = model.definition().language.context;
    // Some of these begin an answer that the model itself does not end before the context does.
    let full = (0..8).find_map(|count| {
        let text = format!("{} {}", "and".repeat(40), "so ".repeat(60 + count));
        let limits = Limits { max_tokens: 1000, sampling: None };
        let mut talk = model.conversation(generator(&model, EngineKind::Float), None, false, &limits).unwrap();
        let answer = talk.ask(&[], &text, &mut |_| Ok(())).unwrap();
        (answer.stop == Stop::Context).then_some(answer)
    });
    let full = full.expect("one of the answers fills the context");
    assert_eq!(full.prompt_tokens + full.tokens.len(), context + 1);
}

#[test]
fn a_conversation_with_several_engines_asks_each_of_them() {
    use std::io::Write;
    let (demo, toolkit) = (demo_bundle(), toolkit());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_autoneural"));
    command.arg("run").arg(demo).arg("--toolkit").arg(toolkit).args(["--on", "float,simulated", "--max-tokens", "2"]);
    command.arg("--image").arg(root(CAT)).stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Who?\nAnd why?").unwrap();
    let output = child.wait_with_output().unwrap();
    let (said, figures) = (stdout(&output), stderr(&output));
    for engine in ["float", "simulated"] {
        assert_eq!(said.matches(&format!("{engine}:\n")).count(), 2, "{said}\n{figures}");
        let lines: Vec<&str> = figures.lines().filter(|line| line.starts_with(&format!("{engine}: "))).collect();
        assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("(16 visual")), "{figures}");
    }
}

#[test]
fn bundles_that_cannot_run_say_why() {
    let bench = exported(|_| ());
    let run = |more: &[&str]| bench.run(&[&["run", "{bundle}", "--prompt", "a"], more].concat());
    for (on, stage) in [("simulated", "emit"), ("npu", "build")] {
        bench.expect(on, &run(&["--on", on]), INPUT, &[&format!("`{stage}` has not run"), "--on"]);
    }
    bench.expect("default", &run(&[]), INPUT, &["`emit` has not run"]);
    bench.expect("nowhere", &bench.run(&["run", "{out}", "--prompt", "a"]), INPUT, &["is no bundle"]);
    let demo = demo_bundle().to_str().unwrap();
    for on in ["simulated", "npu"] {
        let output = bench.run(&["run", demo, "--prompt", "a", "--on", on, "--toolkit", "{empty}"]);
        bench.expect(on, &output, TOOLKIT, &["missing", "make toolkit"]);
    }
    let manifest = bench.read("bundle/manifest.json");
    bench.write("bundle/manifest.json", manifest.replacen("\"schema\": 1", "\"schema\": 2", 1));
    bench.expect("another version", &run(&["--on", "float"]), INPUT, &["is of schema 2", "compile the bundle again"]);
    // A tokenizer of another model, in a bundle that is whole otherwise.
    let other = bench.read("bundle/model/tokenizer.json").replace("<image>", "<picture>");
    let shorter = bench.read("bundle/model/tokenizer.json").replace(": 511", ": 700");
    for (case, text, words) in [
        ("larger tokenizer", shorter, ["tokenizer.json", "belongs to another model"]),
        ("no tokenizer", "{}".to_string(), ["tokenizer.json", "is no tokenizer"]),
    ] {
        put(&bench, &manifest, "model/tokenizer.json", &text);
        bench.expect(case, &run(&["--on", "float"]), INPUT, &words);
    }
    // Another name of the placeholder is no other model.
    put(&bench, &manifest, "model/tokenizer.json", &other);
    let output = run(&["--on", "float", "--max-tokens", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    bench.write("bundle/model/tokenizer.json", "{");
    bench.expect("damaged", &run(&["--on", "float"]), INPUT, &["tokenizer.json", "the manifest says"]);
}

/// Writes a file of the bundle, with the size and the hash that the manifest says.
fn put(bench: &Bench, manifest: &str, file: &str, text: &str) {
    bench.write(&format!("bundle/{file}"), text);
    let mut manifest: Value = serde_json::from_str(manifest).unwrap();
    let files = manifest["files"].as_array_mut().unwrap();
    let record = files.iter_mut().find(|record| record["path"] == file).unwrap();
    record["bytes"] = text.len().into();
    record["sha256"] = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    bench.write("bundle/manifest.json", manifest.to_string());
}
