//! `autoneural inspect`: what `export` would miss is missed here, too, and what comes next is said.

use serde_json::Value;

use crate::common::bench::{Bench, INPUT, Tensors};
use crate::common::{autoneural, root, stderr, stdout, succeed};

/// Lines of a summary that name nothing of what `--all` lists.
fn summary(args: &[&str]) -> Vec<String> {
    succeed(&[&["inspect"], args].concat()).lines().map(String::from).collect()
}

/// What the summary of a checkpoint gives as the next command works as it stands, with a recipe and a folder.
#[test]
fn the_next_command_works() {
    let lines = summary(&["models/autoneural-tiny"]);
    let next = lines.iter().find_map(|line| line.strip_prefix("next: autoneural ")).expect("a next command");
    let mut words = shlex::split(next).expect("a command line");
    assert_eq!(words[..2], ["compile", "autoneural-tiny"]);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out").to_str().expect("UTF-8").to_string();
    words.iter_mut().filter(|word| *word == "BUNDLE").for_each(|word| word.clone_from(&out));
    let at = words.iter().position(|word| word == "--calibration").expect("the recipe");
    words.drain(at..at + 2);
    words[0] = "export".into();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    succeed(&words);
    // The definition that is built in is the one of the project.
    let file = std::fs::read(root("graphs/autoneural-tiny.toml")).expect("the definition");
    assert_eq!(std::fs::read(folder.path().join("out/model/definition.toml")).expect("the copy"), file);
    let unknown = autoneural(&["synth", "autoneural-huge", "--out", &out]);
    assert_eq!(unknown.status.code(), Some(INPUT));
    assert!(stderr(&unknown).contains("autoneural-vl-1.5b, internvl2-2b, autoneural-tiny"), "{}", stderr(&unknown));
}

#[test]
fn what_export_would_refuse_of_tokenizer_and_template_is_told() {
    let bench = Bench::new();
    let inspect = ["inspect", "{weights}", "--definition", "{graph.toml}"];
    let said = stdout(&autoneural(&inspect.map(|word| bench.expand(word)).each_ref().map(String::as_str)));
    assert!(said.contains("tokenizer        tokenizer.json\n") && said.contains("chat template    missing"), "{said}");
    assert!(said.contains("all of it and nothing else"), "{said}");
    let tokenizer = bench.read("weights/tokenizer.json");
    let damaged = &tokenizer[..tokenizer.len() / 2];
    for (case, edit) in [
        (
            "missing",
            (&|bench: &Bench| std::fs::remove_file(bench.path("weights/tokenizer.json")).unwrap()) as &dyn Fn(&Bench),
        ),
        ("damaged", &|bench: &Bench| bench.write("weights/tokenizer.json", damaged)),
        ("a template that is none", &|bench: &Bench| {
            bench.write("weights/tokenizer.json", &tokenizer);
            bench.write("weights/chat_template.jinja", "{% for %}");
        }),
    ] {
        edit(&bench);
        let (export, inspect) = (bench.export(), bench.run(&inspect));
        assert_eq!(export.status.code(), Some(INPUT), "{case}: {}", stderr(&export));
        assert_eq!(inspect.status.code(), Some(INPUT), "{case}: {}", stderr(&inspect));
        let refusal = |text: &str| text.lines().next().unwrap_or_default().replace("{graph.toml}", "");
        assert_eq!(refusal(&stderr(&inspect)), refusal(&stderr(&export)), "{case}");
        let args = [&inspect_args(&bench)[..], &["--json".to_string()]].concat();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let value: Value = serde_json::from_str(&stdout(&autoneural(&args))).expect("JSON");
        assert_eq!(value["tokenizer"].is_null(), case == "missing", "{value}");
        assert!(value["refusal"]["message"].is_string(), "{case}: {value}");
    }
}

fn inspect_args(bench: &Bench) -> [String; 4] {
    ["inspect", "{weights}", "--definition", "{graph.toml}"].map(|word| bench.expand(word))
}

/// Of a checkpoint in parts the summary says what is missing, and that is no failure.
#[test]
fn a_part_of_a_checkpoint_is_told_as_one() {
    let bench = Bench::new();
    let mut tensors = bench.tensors();
    tensors.0.retain(|name, _| name.starts_with("model.vision_tower"));
    std::fs::create_dir(bench.path("part")).expect("a folder");
    Tensors(tensors.0).write(&bench.path("part/model.safetensors"));
    let args = ["inspect", "{part}", "--definition", "{graph.toml}"].map(|word| bench.expand(word));
    let said = succeed(&args.each_ref().map(String::as_str));
    for part in
        ["not all fits", "tokenizer        missing", "missing: ", "and ", "next: give the tensors that are missing"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.lines().count() <= 24, "{said}");
}
