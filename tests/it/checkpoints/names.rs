//! Under what names tensors stand, which may be missing, and which are no part of a model.

use super::{EMBED, f32s, models, warnings};
use crate::common::bench::{Bench, FILE, INPUT, Tensors, change};
use crate::common::{autoneural, root, stderr, stdout};

const STEM: &str = "model.vision_tower.timm_model.conv_stem.conv.bias";

/// The checkpoint with other names.
fn renamed(bench: &Bench, name: impl Fn(&str) -> String) {
    let tensors = bench.tensors();
    Tensors(tensors.0.iter().map(|(old, tensor)| (name(old), tensor.clone())).collect()).write(&bench.path(FILE));
}

#[test]
fn wrappers_of_training_are_taken_off_the_names() {
    let bench = Bench::new();
    let (wanted, sound) = (models(&bench, "plain", "{weights}"), bench.tensors());
    type Wrap = fn(&str) -> String;
    let wrap: [(&str, Wrap); 5] = [
        ("compiled", |name| format!("_orig_mod.{name}")),
        ("distributed", |name| format!("module.{name}")),
        ("both", |name| format!("module._orig_mod.{name}")),
        ("layers compiled", |name| name.replace("layers.1.", "layers.1._orig_mod.")),
        ("FSDP", |name| name.replace("model.", "model._fsdp_wrapped_module.")),
    ];
    for (case, wrap) in wrap {
        sound.write(&bench.path(FILE));
        renamed(&bench, wrap);
        assert!(models(&bench, case, "{weights}") == wanted, "{case}");
        let output = bench.run(&["inspect", "{weights}", "--definition", "{graph.toml}", "--json"]);
        let said: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(said["layout"]["missing"], serde_json::json!([]), "{case}");
        assert_eq!(said["layout"]["left_over"], serde_json::json!([]), "{case}");
    }
    // The plain name is the one that is meant; the other is told to be left over.
    let mut both = Tensors(sound.0.clone());
    both.0.insert(format!("module.{EMBED}"), sound.0[EMBED].clone());
    both.write(&bench.path(FILE));
    bench.expect("both", &bench.export(), INPUT, &["`module.model.embed_tokens.weight`", "is not part"]);
}

#[test]
fn buffers_that_are_saved_with_weights_are_ignored() {
    let bench = Bench::new();
    let (wanted, sound) = (models(&bench, "plain", "{weights}"), bench.tensors());
    let mut more = Tensors(sound.0.clone());
    for name in [
        "model.rotary_emb.inv_freq",
        "model.layers.1.self_attn.rotary_emb.inv_freq",
        "model.rotary_emb.original_inv_freq",
        "model.vision_tower.embeddings.position_ids",
        "model.vision_tower.timm_model.conv_stem.bn.num_batches_tracked",
        "model.layers.1.self_attn.masked_bias",
        "model.layers.1.self_attn.q_proj.input_scale",
    ] {
        more.0.insert(name.into(), f32s(&[2], &[1.0, 2.0]));
    }
    more.0.insert("model.layers.1.attn.bias".into(), f32s(&[1, 1, 2, 2], &[1.0; 4]));
    more.write(&bench.path(FILE));
    assert!(models(&bench, "buffers", "{weights}") == wanted);
    for name in ["model.layers.1.attn.bias", "model.layers.1.self_attn.q_proj.weight_scale", "model.running_mean"] {
        let mut more = Tensors(sound.0.clone());
        more.0.insert(name.into(), f32s(&[4], &[1.0; 4]));
        more.write(&bench.path(FILE));
        bench.expect(name, &bench.export(), INPUT, &[&format!("`{name}`"), "is not part of the model"]);
    }
}

#[test]
fn a_layer_that_was_built_without_its_bias_has_none() {
    let bench = Bench::new();
    let sound = bench.tensors();
    let mut zeros = Tensors(sound.0.clone());
    change(&mut zeros, STEM, |_, _| 0.0);
    zeros.write(&bench.path(FILE));
    let wanted = models(&bench, "zeros", "{weights}");
    let mut without = Tensors(sound.0.clone());
    without.0.remove(STEM);
    without.write(&bench.path(FILE));
    assert!(models(&bench, "without", "{weights}") == wanted, "a bias that is not there is not zero");
    let made = warnings(&bench, "without");
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(made[0].contains(STEM) && made[0].contains("without a bias"), "{made:?}");
    let output = bench.run(&["inspect", "{weights}", "--definition", "{graph.toml}"]);
    assert!(output.status.success(), "{}", stderr(&output));
    // The projector has two, by one setting.
    without = Tensors(sound.0.clone());
    let projector = [1, 2].map(|layer| format!("multi_modal_projector.linear_{layer}.bias"));
    without.0.remove(&projector[0]);
    without.write(&bench.path(FILE));
    bench.expect("one of two", &bench.export(), INPUT, &[&projector[0], "is missing", "other layers have theirs"]);
    without.0.remove(&projector[1]);
    without.write(&bench.path(FILE));
    let made = warnings(&bench, "both");
    assert!(made.len() == 1 && made[0].contains("linear_1.bias") && made[0].contains("and 1 more"), "{made:?}");
    // Weights are never made up.
    let weight = STEM.replace("bias", "weight").replace(".conv.weight", ".bn.weight");
    without = Tensors(sound.0.clone());
    without.0.remove(&weight);
    without.write(&bench.path(FILE));
    bench.expect("a weight", &bench.export(), INPUT, &[&weight, "is missing"]);
}

#[test]
fn biases_of_a_transformer_may_lack_in_all_layers_and_those_of_its_norms_may_not() {
    let fixture = root("tests/fixtures/internvl-random");
    let bench = Bench::new();
    for file in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(fixture.join(file), bench.path(&format!("weights/{file}"))).unwrap();
    }
    std::fs::copy(fixture.join("definition.toml"), bench.path("graph.toml")).unwrap();
    let sound = bench.tensors();
    let without = |part: &str| {
        let is_out = |name: &str| name.contains(part) && name.ends_with(".bias");
        let kept = sound.0.iter().filter(|(name, _)| !is_out(name));
        Tensors(kept.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()).write(&bench.path(FILE));
    };
    // Both layers of a feed-forward block have theirs by one setting.
    for part in ["attn.qkv", "patch_embedding", "mlp.fc"] {
        without(part);
        let made = warnings(&bench, part);
        assert!(made.len() == 1 && made[0].contains(part), "{made:?}");
    }
    without("mlp.fc1");
    bench.expect("of one of two", &bench.export(), INPUT, &["mlp.fc1.bias", "other layers have theirs"]);
    without("layers.1.attn.qkv");
    bench.expect("of one layer", &bench.export(), INPUT, &["layers.1.attn.qkv.bias", "other layers have theirs"]);
    without("norm1");
    bench.expect("of a norm", &bench.export(), INPUT, &["norm1.bias", "is missing"]);
}

#[test]
fn inspect_says_what_export_says() {
    let bench = Bench::new();
    let sound = bench.tensors();
    let mut untied = Tensors(sound.0.clone());
    untied.0.insert("lm_head.weight".into(), sound.0[EMBED].clone());
    change(&mut untied, "lm_head.weight", |_, number| number * 1.01);
    let mut nan = Tensors(sound.0.clone());
    change(&mut nan, EMBED, |at, number| if at == 7 { f32::NAN } else { number });
    for (case, tensors, words) in
        [("untied", untied, "is not equal to the embeddings"), ("NaN", nan, "element [0, 7] is NaN")]
    {
        tensors.write(&bench.path(FILE));
        let export = bench.export();
        bench.expect(case, &export, INPUT, &[words]);
        let inspect = bench.run(&["inspect", "{weights}", "--definition", "{graph.toml}"]);
        assert_eq!(inspect.status.code(), Some(INPUT), "{case}");
        assert!(stderr(&inspect).contains(words), "{case}: {}", stderr(&inspect));
        let args = ["inspect", &bench.text("weights"), "--definition", &bench.text("graph.toml")];
        let said = stdout(&autoneural(&args));
        assert!(said.contains("export refuses it") && said.contains(words), "{case}: {said}");
        assert!(!said.contains("all of it and nothing else"), "{case}: {said}");
    }
}
