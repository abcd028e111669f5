//! The float reference against timm and transformers, on the committed checkpoint.

use std::path::Path;

use autoneural::bundle::Bundle;
use autoneural::engine::{Engine, Reference, Tensor};
use autoneural::front::Definition;
use autoneural::host::{Codec, Sequence, load_image};
use autoneural::partition::Partition;
use autoneural::verify::Sqnr;
use tempfile::TempDir;

use crate::common::{GOLDEN, GRAPH, Golden, WEIGHTS, demo_bundle, root, runtime, succeed};

/// Parity with the golden outputs that the project promises.
const PARITY_DB: f64 = 100.0;
/// Parity of a chain of steps with all tokens at once.
const CHAIN_DB: f64 = 90.0;

struct Model {
    definition: Definition,
    partitions: Vec<Partition>,
    engines: Vec<Reference>,
}

impl Model {
    fn open(folder: &Path) -> Self {
        let bundle = Bundle::look(folder).unwrap();
        let partitions = bundle.partitions().unwrap();
        let engines = partitions.iter().map(|p| Reference::load(p, &bundle.float_model(p)).unwrap()).collect();
        Model { definition: bundle.definition().unwrap(), partitions, engines }
    }

    fn run(&mut self, partition: usize, inputs: &[Tensor]) -> Vec<Tensor> {
        self.engines[partition].run(inputs).unwrap()
    }

    /// Takes in tokens by prefill (or decode, one by one); gives the logits of the last.
    fn advance(&mut self, sequence: &mut Sequence, partition: usize, embeds: &[f32]) -> Vec<f32> {
        let hidden = self.definition.language.hidden;
        let chunk = if partition == PREFILL { self.definition.language.prefill } else { 1 };
        let mut logits = Vec::new();
        for embeds in embeds.chunks(chunk * hidden) {
            let inputs = sequence.inputs(&self.partitions[partition], embeds).unwrap();
            let outputs = self.run(partition, &inputs);
            sequence.absorb(&self.partitions[partition], &outputs, embeds.len() / hidden).unwrap();
            logits = outputs[0].as_f32().unwrap().to_vec();
        }
        logits
    }
}

const VISION: usize = 0;
const PROJECTOR: usize = 1;
const PREFILL: usize = 2;
const DECODE: usize = 3;

fn assert_parity(what: &str, golden: &[f32], made: &[f32], least_db: f64) {
    assert_eq!(golden.len(), made.len(), "{what}");
    let db = Sqnr::of(golden, made).unwrap();
    println!("float parity {what}: {db:.1} dB");
    assert!(db >= least_db, "{what}: {db:.1} dB, {least_db} dB are promised");
}

#[test]
fn vision_encoder_equals_timm() {
    let golden = Golden::open();
    let mut model = Model::open(demo_bundle());
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
    let mut model = Model::open(demo_bundle());
    let features = Tensor::f32(golden.shape("projector.input"), golden.get("projector.input"));
    let made = model.run(PROJECTOR, &[features]);
    assert_parity("projector embeds", &golden.get("projector.output"), made[0].as_f32().unwrap(), PARITY_DB);
}

#[test]
fn prefill_and_every_decode_step_equal_transformers() {
    let golden = Golden::open();
    let mut model = Model::open(demo_bundle());
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
    let mut model = Model::open(demo_bundle());
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
fn float_models_on_onnx_runtime_equal_tract() {
    let golden = Golden::open();
    let bundle = Bundle::look(demo_bundle()).unwrap();
    let mut model = Model::open(demo_bundle());
    let definition = model.definition.clone();
    let embeds = golden.get("embeds");
    let mut sequence = Sequence::new(&definition.language, Codec::Float);
    for at in [VISION, PROJECTOR, PREFILL, DECODE] {
        let partition = model.partitions[at].clone();
        let input = |name: &str| vec![Tensor::f32(golden.shape(name), golden.get(name))];
        let tokens = if at == PREFILL { definition.language.prefill } else { 1 };
        let inputs = match at {
            VISION => input("vision.input"),
            PROJECTOR => input("projector.input"),
            _ => sequence.inputs(&partition, &embeds[..tokens * definition.language.hidden]).unwrap(),
        };
        let wanted = model.run(at, &inputs);
        let mut session = runtime().simulate(&partition, &bundle.float_model(&partition)).unwrap();
        let made = session.run(&inputs).unwrap();
        for ((port, wanted), made) in partition.outputs.iter().zip(&wanted).zip(&made) {
            let what = format!("tract and ONNX Runtime, {} {}", partition.name, port.name);
            assert_parity(&what, wanted.as_f32().unwrap(), made.as_f32().unwrap(), PARITY_DB);
        }
        if at == PREFILL {
            sequence.absorb(&partition, &wanted, tokens).unwrap();
        }
    }
}

#[test]
fn preprocessing_equals_pillow_to_a_rounding_step() {
    let golden = Golden::open();
    let definition = Definition::read(&root(GRAPH)).unwrap();
    let made = load_image(&root(GOLDEN).join("photo.png"), &definition.vision).unwrap();
    let wanted = golden.get("preprocess.output");
    let apart = wanted.iter().zip(made.as_f32().unwrap()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("preprocessing: at most {:.2} of 255 apart", apart * 255.0);
    assert!(apart <= 1.01 / 255.0, "{} of 255", apart * 255.0);
}
