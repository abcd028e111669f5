//! Zeros where other models have numbers: pruned branches and channels, LayerScale that was never trained.

use serde_json::Value;

use crate::common::bench::{Bench, COMPILE, FILE, Tensors, change};
use crate::common::{root, stderr, toolkit, warnings_of};

const VISION: &str = "model.vision_tower.timm_model.";

/// A bench with the trained model, whose figures say whether the NPU computes what is simulated.
fn trained() -> Bench {
    let bench = Bench::new();
    for file in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(root("models/autoneural-tiny").join(file), bench.path(&format!("weights/{file}"))).unwrap();
    }
    std::fs::copy(root("graphs/autoneural-tiny.toml"), bench.path("graph.toml")).unwrap();
    bench
}

/// Compiles for the NPU; it fails where the NPU differs from the simulation. Gives the warnings of the report.
fn compile(bench: &Bench, case: &str) -> Vec<String> {
    let mut args: Vec<String> =
        COMPILE.map(|arg| arg.replace('{', &format!("{}/", bench.text(""))).replace('}', "")).into();
    args.pop();
    args.extend([toolkit().to_str().unwrap().to_string(), "--require-npu".into(), "--force".into(), "-q".into()]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = crate::common::autoneural(&args);
    assert!(output.status.success(), "{case}: {}", stderr(&output));
    for file in crate::common::bench::names(&bench.path("out/bundle/encodings")) {
        let encodings: Value = serde_json::from_str(&bench.read(&format!("out/bundle/encodings/{file}"))).unwrap();
        for list in ["activation_encodings", "param_encodings"] {
            for entry in encodings[list].as_array().unwrap() {
                let scales = entry["scale"].as_array().unwrap();
                let is_sound = |scale: &Value| scale.as_f64().is_some_and(|scale| scale > 0.0 && scale.is_finite());
                assert!(scales.iter().all(is_sound), "{case}: {file}: {}", entry["name"]);
            }
        }
    }
    let report: Value = serde_json::from_str(&bench.read("out/bundle/report.json")).unwrap();
    warnings_of(&report)
}

#[test]
fn branches_and_channels_of_zeros_compile_and_the_npu_computes_what_is_simulated() {
    let bench = trained();
    let sound = bench.tensors();
    let mut tensors = Tensors(sound.0.clone());
    let zero = |tensors: &mut Tensors, name: &str| change(tensors, name, |_, _| 0.0);
    zero(&mut tensors, &format!("{VISION}blocks.3.2.layer_scale.gamma"));
    zero(&mut tensors, "model.layers.1.self_attn.v_proj.weight");
    // Channels that are zero, and one that is nearly.
    change(&mut tensors, &format!("{VISION}blocks.0.0.conv_pwl.weight"), |at, number| match at / 64 {
        3 | 7 => 0.0,
        9 => 1e-6 * number,
        _ => number,
    });
    change(&mut tensors, "model.layers.2.feed_forward.w2.weight", |at, number| match at / 384 {
        5 => 0.0,
        6 => 1e-8 * number,
        _ => number,
    });
    tensors.write(&bench.path(FILE));
    let made = compile(&bench, "parts");
    assert_eq!(made.len(), 2, "{made:?}");
    assert!(made.iter().all(|one| one.contains("was zero in all of calibration")), "{made:?}");
    assert!(made[0].starts_with("vision: `blocks.3.2.") && made[1].starts_with("language: `layers.1."), "{made:?}");
    // All there is of a block.
    let mut tensors = Tensors(sound.0.clone());
    for name in [
        "model.layers.0.conv.conv.weight",
        "model.layers.2.feed_forward.w2.weight",
        "model.layers.3.operator_norm.weight",
        "multi_modal_projector.linear_1.bias",
        &format!("{VISION}blocks.3.1.norm.weight"),
        &format!("{VISION}blocks.3.2.pw_exp.conv.weight"),
        &format!("{VISION}blocks.1.1.dw_start.conv.weight"),
    ] {
        zero(&mut tensors, name);
    }
    tensors.write(&bench.path(FILE));
    assert!(!compile(&bench, "blocks").is_empty());
}

#[test]
fn a_normalization_of_zeros_keeps_its_bias() {
    let bench = Bench::new();
    let fixture = root("tests/fixtures/internvl-random");
    for file in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(fixture.join(file), bench.path(&format!("weights/{file}"))).unwrap();
    }
    std::fs::copy(fixture.join("definition.toml"), bench.path("graph.toml")).unwrap();
    let mut tensors = bench.tensors();
    let is_changed =
        |name: &str| name.ends_with("layers.0.norm1.weight") || name.ends_with(".ls1") || name.ends_with(".ls2");
    let names: Vec<String> = tensors.0.keys().filter(|name| is_changed(name)).cloned().collect();
    assert_eq!(names.len(), 5);
    names.iter().for_each(|name| change(&mut tensors, name, |_, _| 0.0));
    tensors.write(&bench.path(FILE));
    let made = compile(&bench, "a normalization");
    assert!(made.iter().any(|one| one.starts_with("vision: `encoder.layers.0.")), "{made:?}");
}
