//! Weights that lie in several folders: the parts of a model as timm and transformers save them alone.

use std::os::unix::fs::MetadataExt;
use std::process::Output;

use safetensors::Dtype;
use serde_json::{Value, json};

use crate::common::bench::{Bench, INPUT, Tensors, change, contents};
use crate::common::{root, stderr, stdout, warnings_of};

const VISION: &str = "model.vision_tower.timm_model.";
const PROJECTOR: &str = "multi_modal_projector.";
const LANGUAGE: &str = "model.";
const EMBED: &str = "model.embed_tokens.weight";

/// The three places, as [`parted`] writes them.
const PLACES: [&str; 3] = ["{vision}", "{language}", "{projector.safetensors}"];

/// Tensors whose names begin so, with another beginning.
fn part(all: &Tensors, is_of: impl Fn(&str) -> bool, from: &str, to: &str) -> Tensors {
    let own = all.0.iter().filter(|(name, _)| is_of(name));
    Tensors(own.map(|(name, tensor)| (name.replacen(from, to, 1), tensor.clone())).collect())
}

fn is_of_language(name: &str) -> bool {
    !name.starts_with(VISION) && !name.starts_with(PROJECTOR)
}

/// A bench whose weights lie in `vision/`, `language/` and `projector.safetensors` under these prefixes; the tokenizer
/// is with the language model. The whole checkpoint stays in `weights/`.
fn parted(vision: &str, projector: &str, language: &str) -> Bench {
    let bench = Bench::new();
    for folder in ["vision", "language"] {
        std::fs::create_dir(bench.path(folder)).unwrap();
    }
    let all = bench.tensors();
    part(&all, |name| name.starts_with(VISION), VISION, vision).write(&bench.path("vision/model.safetensors"));
    part(&all, |name| name.starts_with(PROJECTOR), PROJECTOR, projector).write(&bench.path("projector.safetensors"));
    part(&all, is_of_language, LANGUAGE, language).write(&bench.path("language/model.safetensors"));
    std::fs::copy(bench.path("weights/tokenizer.json"), bench.path("language/tokenizer.json")).unwrap();
    bench
}

fn export(bench: &Bench, places: &[&str]) -> Output {
    let mut args = vec!["export", "{graph.toml}", "--target", "sa8295p", "--out", "{out/bundle}"];
    places.iter().for_each(|place| args.extend(["--weights", place]));
    bench.run(&args)
}

/// What an export makes of these places: the files of `model/` and the warnings. The bundle is taken away again.
fn made(bench: &Bench, places: &[&str]) -> (std::collections::BTreeMap<String, Vec<u8>>, Vec<String>) {
    let output = export(bench, places);
    assert!(output.status.success(), "{places:?}: {}", stderr(&output));
    let files = contents(&bench.path("out/bundle/model"));
    let manifest: Value = serde_json::from_str(&bench.read("out/bundle/manifest.json")).unwrap();
    std::fs::remove_dir_all(bench.path("out/bundle")).unwrap();
    (files, warnings_of(&manifest))
}

#[test]
fn parts_in_folders_of_their_own_are_the_model() {
    let (wanted, _) = made(&Bench::new(), &["{weights}"]);
    let parts: [&str; 3] = ["vision={vision}", "language={language}", "projector={projector.safetensors}"];
    for (vision, projector, language) in [
        ("", "", ""),
        ("timm_model.", "", "model."),
        (VISION, PROJECTOR, LANGUAGE),
        ("vision_tower.timm_model.", "model.multi_modal_projector.", "model.language_model."),
    ] {
        let bench = parted(vision, projector, language);
        let case = format!("`{vision}` `{projector}` `{language}`");
        for places in [PLACES, [PLACES[2], PLACES[0], PLACES[1]], parts] {
            let (files, warnings) = made(&bench, &places);
            assert!(files == wanted, "{case}, {places:?}: other models");
            assert_eq!(warnings, Vec::<String>::new(), "{case}, {places:?}");
        }
    }
}

#[test]
fn internvl_in_three_places_is_the_model() {
    let folder = "tests/fixtures/internvl-random";
    let bench = Bench::new();
    std::fs::copy(root(folder).join("definition.toml"), bench.path("graph.toml")).unwrap();
    for file in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(root(folder).join(file), bench.path("weights").join(file)).unwrap();
    }
    let (wanted, _) = made(&bench, &["{weights}"]);
    let all = bench.tensors();
    std::fs::create_dir(bench.path("language")).unwrap();
    for (file, own) in [
        ("vision.safetensors", "vision_model."),
        ("mlp.safetensors", "mlp1."),
        ("language/a.safetensors", "language_model."),
    ] {
        let made = part(&all, |name| name.starts_with(own), own, "");
        assert!(!made.0.is_empty(), "{own}");
        made.write(&bench.path(file));
    }
    std::fs::copy(bench.path("weights/tokenizer.json"), bench.path("language/tokenizer.json")).unwrap();
    std::fs::remove_file(bench.path("weights/tokenizer.json")).unwrap();
    let (files, warnings) = made(&bench, &["{vision.safetensors}", "{mlp.safetensors}", "{language}"]);
    assert!(files == wanted && warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_compilation_from_several_folders_is_gone_on_with() {
    let bench = parted("", "", "model.");
    let mut args = crate::common::bench::COMPILE.to_vec();
    args.splice(2..4, PLACES.iter().flat_map(|place| ["--weights", place]));
    let compile = || {
        let output = bench.run(&args);
        assert!(output.status.success(), "{}", stderr(&output));
        // Another file takes its place where something was made.
        std::fs::metadata(bench.path("out/bundle/manifest.json")).unwrap().ino()
    };
    let made = compile();
    let vision = || std::fs::read(bench.path("out/bundle/model/vision.data")).unwrap();
    let before = vision();
    assert_eq!(compile(), made);
    let mut tensors = Tensors::read(&bench.path("vision/model.safetensors"));
    change(&mut tensors, "conv_stem.conv.weight", |_, number| number * 1.5);
    tensors.write(&bench.path("vision/model.safetensors"));
    assert_ne!(compile(), made);
    assert!(vision() != before);
}

#[test]
fn a_part_that_is_missing_is_named() {
    let bench = parted("", "", "model.");
    let places = |left_out: &str| PLACES.into_iter().filter(|place| *place != left_out).collect::<Vec<_>>();
    for (left_out, part, tensor) in [
        (PLACES[0], "vision", "conv_stem.conv.weight"),
        (PLACES[2], "projector", "linear_1.weight"),
        (PLACES[1], "language", EMBED),
    ] {
        let words = [&format!("the {part} weights are missing")[..], &format!("`{tensor}`")];
        bench.expect(part, &export(&bench, &places(left_out)), INPUT, &words);
    }
    // A part is taken from the place that is given for it, and from nowhere else.
    let output = export(&bench, &["vision={projector.safetensors}", "{vision}", "{language}"]);
    bench.expect("the wrong folder", &output, INPUT, &["the vision weights are missing"]);
    let output = export(&bench, &["{vision}", "{nowhere}"]);
    assert!(stderr(&output).contains("nowhere") && !output.status.success());
}

#[test]
fn inspect_shows_all_places_as_one() {
    let bench = parted("", "", "model.");
    let layout = |places: &[&str]| -> Value {
        let output = bench.run(&[&["inspect", "--json", "--definition", "{graph.toml}"], places].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str::<Value>(&stdout(&output)).unwrap()["layout"].clone()
    };
    let whole = layout(&PLACES);
    let prefixes: Vec<&str> =
        whole["components"].as_array().unwrap().iter().map(|one| one["prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes, ["", "", "model."]);
    assert!(whole["missing"].as_array().unwrap().is_empty() && whole["left_over"].as_array().unwrap().is_empty());
    let two = layout(&["vision={vision}", "language={language}"]);
    assert_eq!((&two["components"][1]["found"], two["missing"].as_array().unwrap().len()), (&json!(0), 2));
    assert_eq!(two["components"][0]["found"], two["components"][0]["needed"]);
}

#[test]
fn a_tensor_in_two_places_is_an_error_that_names_both() {
    let bench = parted("", "", "model.");
    let output = export(&bench, &["{weights}", "{language}"]);
    let words = ["weights/model.safetensors", "language/model.safetensors: tensor `model.", "--weights language=DIR"];
    bench.expect("the language model twice", &output, INPUT, &words);
    let output = export(&bench, &["{weights}", "{weights/model.safetensors}"]);
    bench.expect("the same file twice", &output, INPUT, &["is also in", "leave one of them out"]);
    // Under other names the tensors are others, and the part is the same.
    let output = export(&bench, &["{weights}", "{vision}"]);
    let words = ["vision/model.safetensors: `", "is of the vision part, which", "weights holds, too", "vision=DIR"];
    bench.expect("the vision encoder twice", &output, INPUT, &words);
}

#[test]
fn a_part_of_a_whole_checkpoint_can_be_taken_from_elsewhere() {
    let bench = parted("", "", "model.");
    // Another embedding table: a language model that was trained further.
    let mut language = Tensors::read(&bench.path("language/model.safetensors"));
    change(&mut language, EMBED, |_, number| number + 0.25);
    language.write(&bench.path("language/model.safetensors"));
    let count = language.0.len();
    let (wanted, _) = made(&bench, &PLACES);
    for (places, told) in [
        (vec!["{weights}", "language={language}"], vec![(count, "language")]),
        (vec!["vision={weights}", "projector={weights}", "language={language}"], vec![(count, "language"); 2]),
    ] {
        let (files, warnings) = made(&bench, &places);
        assert!(files == wanted, "{places:?}");
        let told: Vec<String> = told
            .iter()
            .map(|(count, part)| {
                format!("{count} tensors of the {part} part are not read: --weights takes it from language")
            })
            .collect();
        let has = |told: &String| warnings.iter().any(|one| one.starts_with("weights: ") && one.contains(told));
        assert!(told.iter().all(has), "{places:?}: {warnings:?}");
    }
    let (files, _) = made(&bench, &["{weights}"]);
    assert!(files != wanted);
    // The same where training put wrappers around the names of the whole.
    let wrapped = part(&bench.tensors(), |_| true, "", "module._orig_mod.");
    std::fs::create_dir(bench.path("wrapped")).unwrap();
    wrapped.write(&bench.path("wrapped/model.safetensors"));
    let (files, _) = made(&bench, &["{wrapped}", "language={language}"]);
    assert!(files == wanted, "wrapped");
    // What is no part of any model is still refused.
    language.0.insert("model.surplus.weight".into(), language.0[EMBED].cast(Dtype::BF16));
    language.write(&bench.path("language/model.safetensors"));
    let output = export(&bench, &["{weights}", "language={language}"]);
    bench.expect("surplus", &output, INPUT, &["language/model.safetensors: `model.surplus.weight`", "is not part of"]);
}

#[test]
fn each_folder_has_its_index() {
    let bench = parted("", "", "model.");
    let (wanted, _) = made(&bench, &PLACES);
    let mut first = Tensors::read(&bench.path("language/model.safetensors"));
    std::fs::remove_file(bench.path("language/model.safetensors")).unwrap();
    let names: Vec<String> = first.0.keys().cloned().collect();
    let second = Tensors(first.0.split_off(&names[names.len() / 2]));
    let mut map = serde_json::Map::new();
    for (file, part) in [("model-1.safetensors", &first), ("model-2.safetensors", &second)] {
        part.write(&bench.path("language").join(file));
        map.extend(part.0.keys().map(|name| (name.clone(), file.into())));
    }
    // A stray file with the same names, which no index knows.
    change(&mut first, EMBED, |_, number| number + 1.0);
    first.write(&bench.path("language/old.safetensors"));
    bench.write("language/model.safetensors.index.json", json!({ "weight_map": map }).to_string());
    let (files, warnings) = made(&bench, &PLACES);
    assert!(files == wanted, "other models");
    assert_eq!(warnings, ["language/old.safetensors: is not read: the index beside it names other files"]);
    map.insert("model.nothing".into(), "model-1.safetensors".into());
    bench.write("language/model.safetensors.index.json", json!({ "weight_map": map }).to_string());
    bench.expect(
        "a lie",
        &export(&bench, &PLACES),
        INPUT,
        &["language/model.safetensors.index.json", "`model.nothing`"],
    );
}

#[test]
fn the_tokenizer_may_be_in_any_of_them() {
    let bench = parted("", "", "model.");
    let (wanted, _) = made(&bench, &PLACES);
    std::fs::rename(bench.path("language/tokenizer.json"), bench.path("vision/tokenizer.json")).unwrap();
    let (files, warnings) = made(&bench, &PLACES);
    assert!(files == wanted && warnings.is_empty(), "{warnings:?}");
    // Of two the language model's is taken, and the other named where it is another.
    std::fs::copy(bench.path("vision/tokenizer.json"), bench.path("language/tokenizer.json")).unwrap();
    assert_eq!(made(&bench, &PLACES).1, Vec::<String>::new());
    bench.write("vision/tokenizer.json", "{}");
    let (files, warnings) = made(&bench, &PLACES);
    assert!(files == wanted, "another tokenizer");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let told =
        "vision/tokenizer.json: is another tokenizer than language/tokenizer.json, which is the one that is taken";
    assert!(warnings[0].starts_with(told), "{warnings:?}");
    // Where neither is the language model's, none is meant more than the other.
    std::fs::create_dir(bench.path("projector")).unwrap();
    std::fs::rename(bench.path("projector.safetensors"), bench.path("projector/a.safetensors")).unwrap();
    std::fs::rename(bench.path("language/tokenizer.json"), bench.path("projector/tokenizer.json")).unwrap();
    let output = export(&bench, &["{vision}", "{language}", "{projector}"]);
    let words = ["projector/tokenizer.json", "vision/tokenizer.json", "is another tokenizer", "keep the one"];
    bench.expect("two tokenizers", &output, INPUT, &words);
    let mut args = crate::common::bench::COMPILE.to_vec();
    args.splice(2..4, ["--weights", "{vision}", "--weights", "{language}", "--weights", "{projector}"]);
    bench.expect("two tokenizers, compiled", &bench.run(&args), INPUT, &words);
}

#[test]
fn a_chat_template_in_any_of_them_is_found_and_two_that_differ_are_named() {
    let template = std::fs::read_to_string(root("models/autoneural-tiny/chat_template.jinja")).unwrap();
    let bench = parted("", "", "model.");
    bench.write("vision/chat_template.jinja", &template);
    // The language model's own knows no pictures: a processor's goes before it.
    bench.write("language/tokenizer_config.json", json!({ "chat_template": "{{ messages[0].content }}" }).to_string());
    let (files, warnings) = made(&bench, &PLACES);
    assert_eq!(files["chat_template.jinja"], template.as_bytes());
    assert_eq!(warnings, Vec::<String>::new());
    bench.write("language/chat_template.jinja", format!("{template}{{# another #}}"));
    let (files, warnings) = made(&bench, &PLACES);
    assert!(files["chat_template.jinja"].ends_with(b"{# another #}"));
    let told = "vision/chat_template.jinja: is another chat template than language/chat_template.jinja";
    assert!(warnings.len() == 1 && warnings[0].starts_with(told), "{warnings:?}");
}

#[test]
fn each_configuration_is_of_the_weights_beside_it() {
    let bench = parted("", "", "model.");
    // timm's own keys, of which the size is the definition's, and one that means something else in a language model.
    bench.write("vision/config.json", json!({ "architecture": "mobilenetv5", "vocab_size": 7 }).to_string());
    bench.write("language/config.json", json!({ "model_type": "lfm2", "num_attention_heads": 3 }).to_string());
    bench.write(
        "vision/preprocessor_config.json",
        json!({ "image_mean": [0.1, 0.1, 0.1], "image_std": [1, 1, 1] }).to_string(),
    );
    bench.write("language/generation_config.json", json!({ "eos_token_id": [2, 7] }).to_string());
    let (files, warnings) = made(&bench, &PLACES);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings.iter().any(|one| one.starts_with("language/config.json: `num_attention_heads` is 3")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|one| one.starts_with("vision/preprocessor_config.json: ")), "{warnings:?}");
    let host: Value = serde_json::from_slice(&files["host.json"]).unwrap();
    assert_eq!(host["ends"], json!([7]));
}

#[test]
fn paths_with_an_equals_sign_are_paths() {
    let bench = parted("", "", "model.");
    let (wanted, _) = made(&bench, &PLACES);
    std::fs::rename(bench.path("vision"), bench.path("run=3")).unwrap();
    std::fs::rename(bench.path("language"), bench.path("language=a")).unwrap();
    let (files, _) = made(&bench, &["./run=3", "./language=a", "projector.safetensors"]);
    assert!(files == wanted);
    let (files, _) = made(&bench, &["vision={run=3}", "language={language=a}", "projector={projector.safetensors}"]);
    assert!(files == wanted);
}
