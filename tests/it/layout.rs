//! `autoneural inspect` on checkpoints: which model it is, under which names, what is missing or left over.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::bench::{INPUT, Tensors};
use crate::common::{GRAPH, WEIGHTS, autoneural, root, stderr, succeed};

fn layout(args: &[&str]) -> Value {
    let said = succeed(&[&["inspect", "--json"], args].concat());
    serde_json::from_str::<Value>(&said).unwrap()["layout"].clone()
}

#[test]
fn the_model_and_the_names_are_recognized() {
    let made = layout(&["models/autoneural-tiny"]);
    assert_eq!(made["model"], "autoneural-tiny");
    let prefixes: Vec<&str> =
        made["components"].as_array().unwrap().iter().map(|one| one["prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes, ["model.vision_tower.timm_model.", "multi_modal_projector.", "model."]);
    let folder = "tests/fixtures/internvl-random";
    let made = layout(&[folder, "--definition", &format!("{folder}/definition.toml")]);
    let namings: Vec<&str> =
        made["components"].as_array().unwrap().iter().map(|one| one["naming"].as_str().unwrap()).collect();
    assert_eq!(namings[2], "InternLM2 with grouped wqkv");
    for one in made["components"].as_array().unwrap() {
        assert!(one["needed"].as_u64().unwrap() > 0);
        assert_eq!(one["found"], one["needed"]);
    }
    // Without its definition the family is recognized still; the sizes are others.
    assert_eq!(layout(&[folder])["model"], "internvl2-2b");
    let text = succeed(&["inspect", "models/autoneural-tiny"]);
    assert!(
        text.contains("model            autoneural-tiny (graphs/autoneural-tiny.toml), all of it and nothing else"),
        "{text}"
    );
}

#[test]
fn what_does_not_fit_is_listed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut tensors = Tensors::read(&root(WEIGHTS).join("model.safetensors"));
    let names: Vec<String> = tensors.0.keys().cloned().collect();
    let find = |end: &str| names.iter().find(|name| name.ends_with(end)).unwrap().clone();
    let (lost, renamed) = (find("linear_2.bias"), find("embedding_norm.weight"));
    tensors.0.remove(&lost).unwrap();
    let moved = tensors.0.remove(&renamed).unwrap();
    tensors.0.insert("lm.extra".into(), moved);
    let misshapen = find("linear_1.bias");
    let tensor = tensors.get(&misshapen);
    tensor.shape = vec![1, tensor.shape[0]];
    tensors.write(&path);
    let made = layout(&[path.to_str().unwrap(), "--definition", GRAPH]);
    let list = |key: &str| -> Vec<String> {
        made[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string()).collect()
    };
    let mut missing = vec![lost.clone(), renamed];
    missing.sort();
    let mut found = list("missing");
    found.sort();
    assert_eq!(found, missing);
    assert_eq!(list("left_over"), ["lm.extra"]);
    assert_eq!(made["misshapen"][0]["name"], misshapen.as_str());
    let text = succeed(&["inspect", path.to_str().unwrap(), "--definition", GRAPH]);
    assert!(text.contains("not all fits") && text.contains(&format!("missing: 2\n  {lost}")), "{text}");
}

#[test]
fn a_checkpoint_of_another_model_is_told_by_its_name() {
    let folder = TempDir::new().unwrap();
    let (weights, out) = (folder.path().join("weights"), folder.path().join("out"));
    std::fs::create_dir(&weights).unwrap();
    for (from, name) in [("models/autoneural-tiny", "model.safetensors"), (WEIGHTS, "tokenizer.json")] {
        std::fs::copy(root(from).join(name), weights.join(name)).unwrap();
    }
    let (weights, out) = (weights.to_str().unwrap(), out.to_str().unwrap());
    let output = autoneural(&["export", GRAPH, "--weights", weights, "--target", "sa8295p", "--out", out]);
    assert_eq!(output.status.code(), Some(INPUT));
    let text = stderr(&output);
    assert!(
        text.contains("this is a checkpoint of autoneural-tiny, whose definition is graphs/autoneural-tiny.toml"),
        "{text}"
    );
    assert!(!folder.path().join("out").exists());
}
