//! `tune` with the toolkit: what is chosen is simulated, compiled, and judged on the NPU.

use serde_json::Value;

use crate::common::loud::{self, DOES_WITH_8, NEEDS_16};
use crate::common::picky::{PICKY, arguments, written};
use crate::common::stream::{self, ROTATION};
use crate::common::{json, succeed, tower};

#[test]
fn the_planted_layer_is_found_and_the_goal_holds_on_the_npu() {
    let (folder, recipe) = written("rounding = \"qronos\"\nbias_correction = true\nheadroom = 0.25");
    let run = |goal: &str| {
        let arguments = arguments(folder.path(), &recipe, &["--goal", goal]);
        succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        json(&folder.path().join("out/tune.json"))
    };
    let tuned = run("25dB");
    let group = &tuned["groups"][0];
    let bits = |layer: &Value| layer["choices"][layer["chosen"].as_u64().unwrap() as usize]["bits"].clone();
    let layers = group["layers"].as_array().unwrap();
    let narrow = layers.iter().filter(|layer| bits(layer) == "int4").count();
    let picky = layers.iter().find(|layer| layer["name"] == PICKY).unwrap();
    assert!(bits(picky) == "int8" && narrow >= 2, "{group}");
    // Some check meets the goal, and the NPU follows the simulation on samples that chose nothing.
    let most = 10f64.powf(-2.5);
    let checks = group["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["measured"].as_f64().unwrap() <= most), "{checks:?}");
    let judged = ["simulated", "npu"].map(|engine| tuned["judged"][engine].as_f64().unwrap());
    assert!(judged[1] >= 25.0 && (judged[0] - judged[1]).abs() < 3.0, "{judged:?}");
    assert_eq!((&tuned["state"], &tuned["reached"]), (&Value::from("compiled"), &Value::Bool(true)));
    // The bundle is that of the recipe that was written.
    let encodings = std::fs::read_to_string(folder.path().join("out/bundle/encodings/tower.json")).unwrap();
    assert!(encodings.contains(PICKY));
    let kept = std::fs::read_to_string(folder.path().join("out/bundle/calibration/recipe.toml")).unwrap();
    let written = std::fs::read_to_string(folder.path().join("out/recipe.toml")).unwrap();
    let exceptions = |text: &str| text.matches("[[override]]").count();
    assert!(exceptions(&kept) == exceptions(&written) && exceptions(&kept) == narrow, "{kept}");
}

#[test]
fn graphs_that_the_recipe_rewrites_are_measured_checked_and_compiled_as_they_become() {
    let folder = stream::written();
    let bits = ["int8", "uint8"];
    let plain = tower::recipe(folder.path(), bits, "");
    let plain = tower::compile(folder.path(), &plain, &[], &folder.path().join("plain"));
    let recipe = stream::rotated(folder.path(), bits, "rounding = \"qronos\"");
    // All in 8 bits takes 15.5 kB.
    let arguments = arguments(folder.path(), &recipe, &["--budget-mb", "0.014"]);
    succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let tuned = json(&folder.path().join("out/tune.json"));
    let group = &tuned["groups"][0];
    let layers = group["layers"].as_array().unwrap();
    assert!(layers.iter().any(|layer| layer["name"] == ROTATION), "{group}");
    assert!(!group["checks"].as_array().unwrap().is_empty());
    // What 8 bits of the stream lose without the rotation is far more than some weights in 4 bits do with it.
    for engine in ["simulated", "npu"] {
        let [before, after] = [tower::figure(&plain, engine), tuned["judged"][engine].as_f64().unwrap()];
        assert!(after > before + 6.0, "{engine}: {before} dB, tuned with a rotation {after} dB");
    }
    let bundle = folder.path().join("out/bundle");
    assert!(bundle.join("equalized/tower.onnx").is_file());
    assert!(std::fs::read_to_string(bundle.join("encodings/tower.json")).unwrap().contains(ROTATION));
}

#[test]
fn the_value_that_needs_16_bits_keeps_them_and_the_written_recipe_is_in_integers_on_the_npu() {
    let (folder, recipe) = loud::written("uint16", "rounding = \"gptq\"");
    let arguments = arguments(folder.path(), &recipe, &["--goal", "28dB", "--activations", "8,16"]);
    succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let tuned = json(&folder.path().join("out/tune.json"));
    let group = &tuned["groups"][0];
    let bits = |name: &str| {
        let layer = group["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == name).unwrap();
        layer["choices"][layer["chosen"].as_u64().unwrap() as usize]["bits"].clone()
    };
    assert_eq!([bits(DOES_WITH_8), bits(NEEDS_16)], ["uint8", "uint16"], "{group}");
    assert_eq!((&tuned["state"], &tuned["reached"]), (&Value::from("compiled"), &Value::Bool(true)));
    // The recipe by itself, on all samples that judge.
    let text = std::fs::read_to_string(folder.path().join("out/recipe.toml")).unwrap();
    let again = folder.path().join("again.toml");
    std::fs::write(&again, text).unwrap();
    let report = tower::compile(folder.path(), &again, &[], &folder.path().join("again"));
    assert!(tower::figure(&report, "npu") >= 28.0, "{report}");
    let partition = &report["partitions"][0];
    assert_eq!(partition["nodes"], partition["npu_nodes"]);
    assert_eq!(partition["in_fp16"].as_array().map(Vec::len), Some(0), "{partition}");
    // All in 8 bits the same network is far from the goal.
    let narrow = tower::recipe(folder.path(), ["int8", "uint8"], "rounding = \"gptq\"");
    let narrow = tower::compile(folder.path(), &narrow, &["--max-difference", "99"], &folder.path().join("narrow"));
    assert!(tower::figure(&narrow, "npu") < 27.0, "{narrow}");
}
