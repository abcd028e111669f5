//! `config.json` beside the weights.

use serde_json::{Value, json};

use super::warnings;
use crate::common::bench::{Bench, INPUT};
use crate::common::{root, stderr};

const FILE: &str = "weights/config.json";

/// What is told of a configuration.
fn told(bench: &Bench, config: &Value) -> Vec<String> {
    bench.write(FILE, config.to_string());
    warnings(bench, &config.to_string())
}

#[test]
fn a_configuration_that_agrees_is_not_spoken_of() {
    let bench = Bench::new();
    assert_eq!(warnings(&bench, "none"), Vec::<String>::new());
    for config in [
        json!({}),
        json!({ "architectures": ["Lfm2VlForConditionalGeneration"], "image_token_id": 4, "text_config": {
            "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
            "norm_eps": 1e-5,
            "vocab_size": 512, "conv_L_cache": 3, "block_ff_dim": 576, "block_multiple_of": 128, "bos_token_id": 1,
            "layer_types": ["conv", "full_attention", "conv", "full_attention"],
            "rope_parameters": { "rope_theta": 1e6, "rope_type": "default" }, "tie_word_embeddings": true,
            "max_position_embeddings": 128000, "eos_token_id": [7, 2] } }),
        // The old way: everything at the top, and a scaling that begins beyond the context.
        json!({ "hidden_size": 128, "rope_theta": 1000000, "full_attn_idxs": [1, 3], "intermediate_size": 384,
            "block_auto_adjust_ff_dim": false, "rope_scaling": { "type": "dynamic", "factor": 2.0 },
            "max_position_embeddings": 4096, "sliding_window": null, "tie_embedding": true }),
        json!({ "tie_word_embeddings": false, "text_config": {}, "rope_scaling": null }),
    ] {
        assert_eq!(told(&bench, &config), Vec::<String>::new(), "{config}");
    }
}

#[test]
fn every_contradiction_is_named_with_both_values() {
    let bench = Bench::new();
    let text = |key: &str, value: Value| json!({ "text_config": { key: value } });
    for (config, words) in [
        (text("rope_theta", json!(1e4)), ["`text_config.rope_theta` is 10000.0", "language.rope_theta = 1000000"]),
        (
            text("rope_parameters", json!({ "rope_theta": 1e4, "rope_type": "default" })),
            ["`text_config.rope_parameters.rope_theta` is 10000.0", "language.rope_theta = 1000000"],
        ),
        (text("norm_eps", json!(1e-6)), ["`text_config.norm_eps` is 1e-6", "language.norm_eps = 1e-5"]),
        (json!({ "rms_norm_eps": 1e-6 }), ["`rms_norm_eps` is 1e-6", "language.norm_eps = 1e-5"]),
        (json!({ "image_token_id": 396 }), ["`image_token_id` is 396", "language.tokens.image = 4"]),
        (json!({ "image_token_index": 396, "text_config": {} }), ["`image_token_index` is 396", "tokens.image = 4"]),
        (text("hidden_size", json!(256)), ["`text_config.hidden_size` is 256", "language.hidden = 128"]),
        (text("num_attention_heads", json!(8)), ["num_attention_heads` is 8", "language.heads = 4"]),
        (text("num_key_value_heads", json!(4)), ["num_key_value_heads` is 4", "language.kv_heads = 2"]),
        (text("head_dim", json!(64)), ["head_dim` is 64", "language.head_dim = 32"]),
        (text("vocab_size", json!(1024)), ["vocab_size` is 1024", "language.vocabulary = 512"]),
        (text("num_hidden_layers", json!(7)), ["num_hidden_layers` is 7", "language.layers = 4"]),
        (text("conv_L_cache", json!(4)), ["conv_L_cache` is 4", "language.conv_kernel = 3"]),
        (text("tie_word_embeddings", json!(false)), ["tie_word_embeddings` is false", "tied_embeddings = true"]),
        (text("block_ff_dim", json!(384)), ["block_ff_dim` is 384, adjusted 256", "feed_forward = 384"]),
        (text("full_attn_idxs", json!([1, 2, 3])), ["layer 2 attention", "has a convolution there"]),
        (text("hidden_act", json!("gelu")), ["hidden_act` is \"gelu\"", "silu"]),
        (text("max_position_embeddings", json!(128)), ["max_position_embeddings` is 128", "language.context = 256"]),
        (text("sliding_window", json!(64)), ["sliding_window` is 64", "language.context = 256"]),
        (text("attn_logit_softcapping", json!(30.0)), ["attn_logit_softcapping` is 30.0", "not computed"]),
        (text("bos_token_id", json!(0)), ["bos_token_id` is 0", "language.tokens.bos = 1"]),
        (
            json!({ "vision_config": { "rms_norm_eps": 1e-5 } }),
            ["vision_config.rms_norm_eps` is 0.00001", "vision.norm_eps = 1e-6"],
        ),
        (json!({ "vision_config": { "image_size": 768 } }), ["vision_config.image_size` is 768", "image_size = 128"]),
        (json!({ "projector_use_layernorm": true }), ["projector_use_layernorm` is true", "projector.norm_eps"]),
        (json!({ "projector_hidden_act": "gelu_new" }), ["projector_hidden_act` is \"gelu_new\"", "= gelu"]),
    ] {
        let made = told(&bench, &config);
        assert_eq!(made.len(), 1, "{config}: {made:?}");
        for word in [&words[..], &["config.json"]].concat() {
            assert!(made[0].contains(word), "{config}: `{word}` is not in {made:?}");
        }
    }
    let all = json!({ "image_token_id": 396, "text_config": { "norm_eps": 1e-6, "conv_L_cache": 4 } });
    assert_eq!(told(&bench, &all).len(), 3);
    // They are printed, too.
    let args =
        crate::common::bench::EXPORT.map(|arg| arg.replace('{', &format!("{}/", bench.text(""))).replace('}', ""));
    let output = crate::common::autoneural(&args.each_ref().map(String::as_str));
    assert!(stderr(&output).contains("warning: ") && stderr(&output).contains("`image_token_id` is 396"));
}

#[test]
fn scalings_of_rotary_frequencies_are_not_computed_in_silence() {
    let bench = Bench::new();
    for (kind, more, is_told) in [
        ("llama3", json!({ "factor": 32.0 }), true),
        ("yarn", json!({ "factor": 4.0 }), true),
        ("linear", json!({ "factor": 2.0 }), true),
        ("longrope", json!({}), true),
        ("mrope", json!({}), true),
        ("linear", json!({ "factor": 1.0 }), false),
        ("default", json!({}), false),
        ("dynamic", json!({ "factor": 2.0 }), false),
    ] {
        for (place, key) in [("rope_scaling", "type"), ("rope_scaling", "rope_type"), ("rope_parameters", "rope_type")]
        {
            let mut rope = more.clone();
            rope[key] = kind.into();
            let made = told(&bench, &json!({ "text_config": { place: rope, "max_position_embeddings": 4096 } }));
            assert_eq!(made.len(), usize::from(is_told), "{kind} {place} {key}: {made:?}");
            assert!(made.iter().all(|one| one.contains(kind) && one.contains("not computed")), "{made:?}");
        }
    }
    // What is the usual embedding up to the longest sequence of training is another one beyond.
    let beyond = json!({ "rope_scaling": { "type": "dynamic", "factor": 2.0 }, "max_position_embeddings": 128 });
    assert_eq!(told(&bench, &beyond).len(), 2);
}

#[test]
fn a_transformer_for_vision_is_compared_too() {
    let bench = Bench::new();
    let fixture = root("tests/fixtures/internvl-random");
    for file in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(fixture.join(file), bench.path(&format!("weights/{file}"))).unwrap();
    }
    std::fs::copy(fixture.join("definition.toml"), bench.path("graph.toml")).unwrap();
    let vision = |key: &str, value: Value| json!({ "vision_config": { key: value } });
    for (config, words) in [
        (json!({ "llm_config": { "rms_norm_eps": 1e-6 } }), ["`llm_config.rms_norm_eps`", "language.norm_eps = 1e-5"]),
        (vision("layer_norm_eps", json!(1e-5)), ["layer_norm_eps` is 0.00001", "vision.norm_eps = 1e-6"]),
        (vision("hidden_act", json!("gelu_pytorch_tanh")), ["gelu_pytorch_tanh", "vision.activation = gelu"]),
        (vision("norm_type", json!("rms_norm")), ["rms_norm", "layer_norm"]),
        (vision("num_attention_heads", json!(3)), ["num_attention_heads` is 3", "vision.heads"]),
        (json!({ "downsample_ratio": 0.25 }), ["downsample_ratio` is 0.25", "1 / vision.merge = 0.5"]),
        (json!({ "ps_version": "v1" }), ["ps_version` is \"v1\"", "v2"]),
        (json!({ "select_layer": -2 }), ["select_layer` is -2", "the last"]),
    ] {
        let made = told(&bench, &config);
        assert_eq!(made.len(), 1, "{config}: {made:?}");
        assert!(words.iter().all(|word| made[0].contains(word)), "{config}: {made:?}");
    }
    let same = json!({ "downsample_ratio": 0.5, "ps_version": "v2", "select_layer": -1, "vision_config": {
        "norm_type": "layer_norm", "hidden_act": "gelu", "layer_norm_eps": 1e-6 } });
    assert_eq!(told(&bench, &same), Vec::<String>::new());
}

#[test]
fn a_configuration_that_cannot_be_read_is_refused() {
    let bench = Bench::new();
    for (text, word) in
        [("{", "config.json:1"), ("version https://git-lfs.github.com/spec/v1\n", "is a git-lfs pointer")]
    {
        bench.write(FILE, text);
        // It may tell which tokens end an answer.
        bench.expect(text, &bench.export(), INPUT, &["config.json", word]);
    }
    bench.write(FILE, "\u{feff}{\"image_token_id\": 396}");
    let made = warnings(&bench, "a mark before it");
    assert!(made.len() == 1 && made[0].contains("`image_token_id` is 396"), "{made:?}");
}
