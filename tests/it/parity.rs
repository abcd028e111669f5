//! The float reference against timm and transformers, on the committed checkpoint.

use autoneural::engine::Tensor;
use autoneural::front::Definition;
use autoneural::host::{Codec, Sequence, load_image};
use tempfile::TempDir;

use crate::common::parity::{CHAIN_DB, DECODE, Model, PARITY_DB, PREFILL, PROJECTOR, VISION, assert_parity};
use crate::common::{GOLDEN, GRAPH, Golden, WEIGHTS, plain_bundle, root, succeed};

#[test]
fn vision_encoder_equals_timm() {
    let golden = Golden::open();
    let mut model = Model::open(plain_bundle());
    let image = Tensor::f32(golden.shape("vision.input"), golden.get("vision.input"));
    let made = model.run(VISION, &[image]);
    assert_parity("vision features", &golden.get("vision.output"), made[0].as_f32().unwrap(), PARITY_DB);
}

/// 160 pixels: the fused resolution is no multiple of the output, so the adapter interpolates instead of pooling.
#[test]
fn vision_encoder_of_another_image_size_equals_timm() {
    let folder = TempDir::new().unwrap();
    let graph = folder.path().join("graph.toml");
    let text = std::fs::read_to_string(root(GRAPH)).unwrap();
    std::fs::write(&graph, text.replace("image_size = 128", "image_size = 160")).unwrap();
    let out = folder.path().join("out");
    let (graph, place) = (graph.to_str().unwrap(), out.to_str().unwrap());
    succeed(&["export", graph, "--weights", WEIGHTS, "--target", "sa8295p", "--out", place, "-q"]);
    let golden = Golden::open();
    let mut model = Model::open(&out);
    let image = Tensor::f32(golden.shape("vision160.input"), golden.get("vision160.input"));
    let made = model.run(VISION, &[image]);
    assert_parity("vision features, 160 px", &golden.get("vision160.output"), made[0].as_f32().unwrap(), PARITY_DB);
}

#[test]
fn projector_equals_torch() {
    let golden = Golden::open();
    let mut model = Model::open(plain_bundle());
    let features = Tensor::f32(golden.shape("projector.input"), golden.get("projector.input"));
    let made = model.run(PROJECTOR, &[features]);
    assert_parity("projector embeds", &golden.get("projector.output"), made[0].as_f32().unwrap(), PARITY_DB);
}

#[test]
fn prefill_and_every_decode_step_equal_transformers() {
    let golden = Golden::open();
    let mut model = Model::open(plain_bundle());
    let definition = model.definition.clone();
    let hidden = definition.language.hidden;
    let embeds = golden.get("embeds");
    let (prompt, rest) = embeds.split_at(40 * hidden);
    let mut sequence = Sequence::new(&definition.language, Codec::Float);
    let logits = model.advance(&mut sequence, PREFILL, prompt);
    assert_parity("prefill logits", &golden.get("prefill.logits"), &logits, PARITY_DB);
    assert_states(&golden, &sequence, "prefill", 40);
    for (step, token) in rest.chunks(hidden).enumerate() {
        let logits = model.advance(&mut sequence, DECODE, token);
        let name = format!("decode.{step}.logits");
        assert_parity(&name, &golden.get(&name), &logits, PARITY_DB);
    }
    assert_eq!(sequence.position(), 48);
    assert_states(&golden, &sequence, "final", 48);
}

/// Keys, values and convolution states against transformers' cache.
fn assert_states(golden: &Golden, sequence: &Sequence, moment: &str, tokens: usize) {
    for layer in [1, 3] {
        for (what, name) in [("k", "k"), ("v", "v")] {
            let state = sequence.state(&format!("layers.{layer}.{what}")).unwrap();
            let values = state.as_f32().unwrap();
            // Ours: keys [1,G,D,context], values [1,G,context,D]. Golden: [1,G,tokens,D].
            let [_, groups, a, b] = state.shape[..] else { panic!("four axes") };
            let (context, size) = if what == "k" { (b, a) } else { (a, b) };
            let mut made = Vec::new();
            for group in 0..groups {
                for token in 0..tokens {
                    for i in 0..size {
                        let at = if what == "k" { i * context + token } else { token * size + i };
                        made.push(values[group * context * size + at]);
                    }
                }
            }
            let name = format!("{moment}.layers.{layer}.{name}");
            assert_parity(&name, &golden.get(&name), &made, PARITY_DB);
        }
    }
    for layer in [0, 2] {
        let made = sequence.state(&format!("layers.{layer}.conv_state")).unwrap();
        let name = format!("{moment}.layers.{layer}.conv_state");
        assert_parity(&name, &golden.get(&name), made.as_f32().unwrap(), PARITY_DB);
    }
}

#[test]
fn chained_decode_steps_equal_prefill_of_the_same_tokens() {
    let golden = Golden::open();
    let mut model = Model::open(plain_bundle());
    let definition = model.definition.clone();
    let hidden = definition.language.hidden;
    let embeds = golden.get("embeds");
    let mut whole = Sequence::new(&definition.language, Codec::Float);
    let wanted = model.advance(&mut whole, PREFILL, &embeds);
    let mut chained = Sequence::new(&definition.language, Codec::Float);
    model.advance(&mut chained, PREFILL, &embeds[..3 * hidden]);
    let made = model.advance(&mut chained, DECODE, &embeds[3 * hidden..]);
    assert_parity("45 chained decode steps, logits", &wanted, &made, CHAIN_DB);
    for key in ["layers.0.conv_state", "layers.1.k", "layers.1.v", "layers.2.conv_state", "layers.3.k", "layers.3.v"] {
        let (wanted, made) = (whole.state(key).unwrap(), chained.state(key).unwrap());
        // The last prefill step fills padding behind the tokens that count nowhere else.
        assert_parity(key, wanted.as_f32().unwrap(), made.as_f32().unwrap(), CHAIN_DB);
    }
}

#[test]
fn preprocessing_equals_pillow_to_a_rounding_step() {
    let golden = Golden::open();
    let definition = Definition::read(&root(GRAPH)).unwrap();
    let made = load_image(&root(GOLDEN).join("photo.png"), definition.seeing().unwrap()).unwrap();
    let wanted = golden.get("preprocess.output");
    let apart = wanted.iter().zip(made.as_f32().unwrap()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("preprocessing: at most {:.2} of 255 apart", apart * 255.0);
    assert!(apart <= 1.01 / 255.0, "{} of 255", apart * 255.0);
}
