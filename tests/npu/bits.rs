//! Other bits on the statistics that are there: `quantize --calibration`, `emit`, `build`, `verify`.

use std::process::Output;

use serde_json::Value;

use crate::common::bench::{Bench, COMPILE};
use crate::common::{autoneural, json, stderr, toolkit};

/// Without the bench's limits, under which the vendor's libraries do not load.
fn run(bench: &Bench, args: &[&str]) -> Output {
    let words: Vec<String> = args.iter().map(|word| bench.expand(word)).chain(["-q".into()]).collect();
    autoneural(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn other_bits_need_no_other_calibration_and_give_what_a_compilation_gives() {
    let bench = Bench::new();
    let toolkit = toolkit();
    let toolkit = toolkit.to_str().expect("UTF-8");
    let compile = |out: &str| {
        let args = [&COMPILE[..7], &[out], &COMPILE[8..COMPILE.len() - 1], &[toolkit, "--verify", "none"]].concat();
        let output = run(&bench, &args);
        assert!(output.status.success(), "{}", stderr(&output));
    };
    let succeed = |args: &[&str]| {
        let output = run(&bench, &[args, &["--toolkit", toolkit]].concat());
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    };
    compile("{out/bundle}");
    let before = json(&bench.path("out/bundle/manifest.json"));
    bench.edit("recipe/recipe.toml", "weights = \"int4\"", "weights = \"int8\"");
    let recipe = ["--calibration", "{recipe/recipe.toml}"];
    succeed(&[&["quantize", "{out/bundle}"], &recipe[..]].concat());
    let stages = |value: &Value| -> Vec<String> {
        value["stages"].as_array().expect("stages").iter().map(|one| one["name"].as_str().unwrap().into()).collect()
    };
    let manifest = json(&bench.path("out/bundle/manifest.json"));
    // Later stages are of other encodings, and gone.
    assert_eq!(stages(&manifest), ["export", "calibrate", "quantize"]);
    assert_eq!(manifest["partitions"][2]["weights"], "W8A16");
    assert_eq!(before["partitions"][2]["weights"], "W4A16");
    succeed(&["emit", "{out/bundle}"]);
    succeed(&["build", "{out/bundle}"]);
    succeed(&[&["verify", "{out/bundle}", "--verify", "none"], &recipe[..]].concat());
    compile("{out/other}");
    let (by_stages, at_once) =
        (json(&bench.path("out/bundle/manifest.json")), json(&bench.path("out/other/manifest.json")));
    let hashes = |value: &Value| -> Vec<Value> {
        let files = value["files"].as_array().expect("files").iter();
        files.filter(|file| file["path"].as_str().is_some_and(|path| path.contains('/'))).cloned().collect()
    };
    assert!(hashes(&by_stages) == hashes(&at_once), "the stages give other files than one compilation");
    // The recipe that is kept is the one that was quantized with, and what `quantize` alone takes.
    assert_eq!(bench.read("out/bundle/calibration/recipe.toml"), bench.read("recipe/recipe.toml"));
    succeed(&["quantize", "{out/bundle}"]);
    assert_eq!(json(&bench.path("out/bundle/manifest.json"))["partitions"][2]["weights"], "W8A16");
}
