//! Other bits on the statistics that are there: `quantize --calibration`, `emit`, `build`, `verify`.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::bad_input::{Bench, COMPILE, INPUT};
use crate::common::{autoneural, stderr, toolkit};

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

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

#[test]
fn a_recipe_that_asks_for_other_statistics_is_refused() {
    let bench = Bench::new();
    assert!(bench.compile().status.success());
    let manifest = bench.read("out/bundle/manifest.json");
    let (sound, photo) = (bench.read("recipe/recipe.toml"), std::fs::read(bench.path("recipe/photo.png")).unwrap());
    let cases: [(&str, &str, &str); 4] = [
        ("decode_steps = 1", "decode_steps = 2", "decode_steps: is 2; `calibrate` ran with 1"),
        ("prompt = \"Who?\"", "prompt = \"Whose?\"", "calibration[0]: is not the sample"),
        ("prompt = \"Who?\"", "prompt = \"Who?\"\ntokens = 3", "calibration[0]: is not the sample"),
        (
            "[[verification]]",
            "[[calibration]]\nprompt = \"Why?\"\n\n[[verification]]",
            "calibration: has 2 samples; `calibrate` ran with 1",
        ),
    ];
    let quantize = ["quantize", "{out/bundle}", "--calibration", "{recipe/recipe.toml}"];
    let refused = |case: &str| {
        let output = bench.run(&quantize);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(INPUT), "{case}: {said}");
        assert!(said.contains(case) && said.contains("run `autoneural calibrate`"), "{case}: {said}");
        assert_eq!(bench.read("out/bundle/manifest.json"), manifest, "{case}");
    };
    for (from, to, case) in cases {
        bench.edit("recipe/recipe.toml", from, to);
        refused(case);
        bench.write("recipe/recipe.toml", &sound);
    }
    // Another picture under the same name.
    let other = crate::common::root("calibration/demo-eval/images/cluster-01.png");
    std::fs::copy(other, bench.path("recipe/photo.png")).unwrap();
    refused("`photo.png` is not the picture");
    bench.write("recipe/photo.png", photo);
    // Other samples of verification, and another name, are no other statistics.
    bench.edit("recipe/recipe.toml", "prompt = \"Where?\"", "prompt = \"When?\"");
    let output = bench.run(&quantize);
    assert!(output.status.success(), "{}", stderr(&output));
    let args = ["quantize", &bench.text("out/bundle"), "--calibration", &bench.text("nowhere.toml")];
    assert_eq!(autoneural(&args).status.code(), Some(INPUT));
}
