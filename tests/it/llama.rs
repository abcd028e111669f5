//! Language models of the Llama family, which take no pictures.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{autoneural, stderr, succeed};

const GRAPH: &str = "tests/fixtures/llama-random/definition.toml";
const WEIGHTS: &str = "tests/fixtures/llama-random";
const REFERENCE: &str = "tests/fixtures/golden/llama.safetensors";

fn export(folder: &TempDir) -> String {
    let out = folder.path().join("out").display().to_string();
    succeed(&["export", GRAPH, "--weights", WEIGHTS, "--target", "sa8295p", "--out", &out, "-q"]);
    out
}

#[test]
fn float_models_equal_transformers() {
    let folder = TempDir::new().expect("a folder");
    let out = export(&folder);
    let found: Value =
        serde_json::from_str(&succeed(&["parity", &out, "--reference", REFERENCE, "--json"])).expect("JSON");
    let found = found.as_array().expect("outputs");
    // A prompt of two chunks, eight decoded tokens.
    assert_eq!(found.len(), 9);
    for one in found {
        assert!(one["sqnr_db"].as_f64().expect("a figure") >= 110.0, "{one}");
    }
}

#[test]
fn the_program_has_the_graphs_of_language_alone_and_answers_without_pictures() {
    let folder = TempDir::new().expect("a folder");
    let out = export(&folder);
    let program = std::fs::read(folder.path().join("out/model/program.json")).expect("a program");
    let program: Value = serde_json::from_slice(&program).expect("JSON");
    assert_eq!(program["graphs"], serde_json::json!(["language.prefill", "language.decode"]));
    let asked = ["run", &out, "--prompt", "Which lamp is lit?", "--on", "float", "--max-tokens", "3", "--json"];
    let answer: Value = serde_json::from_str(&succeed(&asked)).expect("JSON");
    assert_eq!(answer["answers"][0]["visual_tokens"], 0, "{answer}");
    let picture = "tests/fixtures/golden/photo.png";
    let refused = autoneural(&["run", &out, "--image", picture, "--prompt", "What is it?", "--on", "float"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(stderr(&refused).contains("no vision encoder"), "{}", stderr(&refused));
}

#[test]
fn what_a_definition_without_pictures_cannot_say_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let text = std::fs::read_to_string(crate::common::root(GRAPH)).expect("a definition");
    let place = folder.path().join("definition.toml");
    for (from, to, word) in [
        ("eos = 2", "eos = 2\nimage = 4", "there is no vision encoder"),
        ("family = \"llama\"", "family = \"lfm2\"", "language.qk_norm"),
        ("[language.tokens]", "[projector]\nhidden = 8\nactivation = \"gelu\"\n[language.tokens]", "projector"),
        ("kv_heads = 2", "kv_heads = 3", "language.kv_heads"),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(&place, text.replace(from, to)).expect("a file");
        let path = place.display().to_string();
        let found = autoneural(&["export", &path, "--weights", WEIGHTS, "--target", "sa8295p", "--out", "nowhere"]);
        assert_eq!(found.status.code(), Some(3), "{to}");
        assert!(stderr(&found).contains(word), "{to}: {}", stderr(&found));
    }
    let sized =
        ["export", GRAPH, "--weights", WEIGHTS, "--image-size", "64", "--target", "sa8295p", "--out", "nowhere"];
    let found = autoneural(&sized);
    assert!(stderr(&found).contains("has no vision encoder"), "{}", stderr(&found));
}
