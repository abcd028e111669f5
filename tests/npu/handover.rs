//! State as codes: what prefill gives on the NPU is what decode reads, bit for bit, with nothing in between.

use autoneural::bundle::Bundle;
use autoneural::engine::{Engine, OrtSession, Reference, Tensor};
use autoneural::front::Language;
use autoneural::host::{Codec, Sequence, step_tokens};
use autoneural::partition::Partition;
use autoneural::quantize::Table;
use autoneural::verify::Sqnr;

use crate::common::{Golden, demo_bundle, runtime};

const PREFILL: usize = 2;
const DECODE: usize = 3;

/// Takes in tokens by one partition's engine; gives the logits of the last in float.
fn advance<E: Engine>(
    sequence: &mut Sequence,
    partition: &Partition,
    table: Option<&Table>,
    engine: &mut E,
    embeds: &[f32],
    language: &Language,
) -> Vec<f32> {
    let mut logits = Vec::new();
    for embeds in embeds.chunks(step_tokens(partition) * language.hidden) {
        let inputs = sequence.inputs(partition, embeds).unwrap();
        let outputs = engine.run(&inputs).unwrap();
        sequence.absorb(partition, &outputs, embeds.len() / language.hidden).unwrap();
        let encoding = table.map(|table| &table.activations["logits"]);
        logits = outputs[0].decode(encoding).as_f32().unwrap().to_vec();
    }
    logits
}

#[test]
fn state_goes_from_prefill_to_decode_on_the_npu_untouched() {
    let bundle = Bundle::look(demo_bundle()).unwrap();
    let (definition, target) = (bundle.definition().unwrap(), bundle.target().unwrap());
    let partitions = bundle.partitions().unwrap();
    let tables = bundle.tables(&partitions).unwrap();
    let runtime = runtime();
    let language = &definition.language;
    let embeds = Golden::open().get("embeds");
    let (prompt, rest) = embeds.split_at(40 * language.hidden);

    let load = |at: usize| -> [OrtSession; 2] {
        let partition = &partitions[at];
        [
            runtime.simulate(partition, &bundle.quantized_model(partition)).unwrap(),
            runtime.open_segments(partition, &bundle.segments(partition).unwrap(), &bundle.path(""), &target).unwrap(),
        ]
    };
    let (mut prefill, mut decode) = (load(PREFILL), load(DECODE));
    let mut chain = |engine: usize| -> (Vec<f32>, Vec<(String, Tensor)>) {
        let mut sequence = Sequence::new(language, Codec::Codes(&tables[PREFILL]));
        advance(&mut sequence, &partitions[PREFILL], Some(&tables[PREFILL]), &mut prefill[engine], prompt, language);
        let keys = ["layers.0.conv_state", "layers.1.k", "layers.1.v"];
        let given = keys.map(|key| (key.to_string(), sequence.state(key).unwrap().clone()));
        // The codec of decode has the same encodings for all state, so the sequence just goes on.
        let partition = &partitions[DECODE];
        let table = &tables[DECODE];
        let logits = advance(&mut sequence, partition, Some(table), &mut decode[engine], rest, language);
        (logits, given.to_vec())
    };
    let (simulated, _) = chain(0);
    let (npu, given) = chain(1);
    for (key, tensor) in &given {
        assert!(!matches!(tensor.data, autoneural::engine::Data::F32(_)), "{key} is kept as integers");
    }

    let mut reference = Sequence::new(language, Codec::Float);
    let mut float = |at: usize, embeds: &[f32]| {
        let mut engine = Reference::load(&partitions[at], &bundle.float_model(&partitions[at])).unwrap();
        advance(&mut reference, &partitions[at], None, &mut engine, embeds, language)
    };
    float(PREFILL, prompt);
    let wanted = float(DECODE, rest);
    let (simulated_db, npu_db) = (Sqnr::of(&wanted, &simulated).unwrap(), Sqnr::of(&wanted, &npu).unwrap());
    println!("after 40 + 8 tokens on integer state: simulated {simulated_db:.1} dB, NPU {npu_db:.1} dB");
    // Random weights at 4 bits leave little of the signal after 48 tokens; the NPU must not leave less.
    assert!(npu_db > 3.0, "{npu_db} dB");
    assert!((simulated_db - npu_db).abs() < 1.0, "{simulated_db} {npu_db}");
    assert!(Sqnr::of(&simulated, &npu).unwrap() > 25.0);
}
