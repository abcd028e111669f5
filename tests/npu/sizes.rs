//! Sizes of a bundle against sums by hand, the files, and what the emitted models hold.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{demo_bundle, json, python, succeed};

fn size(relative: &str) -> u64 {
    std::fs::metadata(demo_bundle().join(relative)).unwrap_or_else(|error| panic!("{relative}: {error}")).len()
}

fn sizes() -> Value {
    json(&demo_bundle().join("report.json"))["sizes"].clone()
}

const NAMES: [&str; 4] = ["vision", "projector", "language.prefill", "language.decode"];

#[test]
fn state_and_buffers_are_what_the_shapes_say() {
    let sizes = sizes();
    // From the model's definition: 2 attention layers with 2 heads of 32 in 8 bits, 2 convolutions of 128 channels that
    // keep 2 columns in 16 bits, a context of 256 tokens of which prefill takes 32.
    let keys_and_values = |tokens: u64| 2 * 2 * 2 * 32 * tokens;
    let (kv_cache, conv_state) = (keys_and_values(256), 2 * 128 * 2 * 2);
    let tables = |tokens: u64| 2 * (tokens * 128 + 2 * tokens * 32 + tokens * 256);
    let by_hand = [
        // Inputs, those of them that are state, outputs.
        (3 * 128 * 128 * 2, 0, 16 * 256 * 2),
        (16 * 256 * 2, 0, 16 * 128 * 2),
        (
            tables(32) + 4 + 2 * 4 + conv_state + keys_and_values(256 - 32),
            conv_state + keys_and_values(256 - 32),
            512 * 2 + conv_state + keys_and_values(32),
        ),
        (
            tables(1) + conv_state + keys_and_values(255),
            conv_state + keys_and_values(255),
            512 * 2 + conv_state + keys_and_values(1),
        ),
    ];
    let mut buffers = 0;
    for ((partition, name), (inputs, state, outputs)) in
        sizes["partitions"].as_array().unwrap().iter().zip(NAMES).zip(by_hand)
    {
        assert_eq!(partition["name"], name);
        assert_eq!(partition["input_bytes"], inputs, "{name}");
        assert_eq!(partition["state_input_bytes"], state, "{name}");
        assert_eq!(partition["output_bytes"], outputs, "{name}");
        let has_state = name.starts_with("language");
        assert_eq!(partition["kv_cache_bytes"], if has_state { kv_cache } else { 0 }, "{name}");
        assert_eq!(partition["conv_state_bytes"], if has_state { conv_state } else { 0 }, "{name}");
        buffers += inputs - state + outputs;
    }
    // Both language graphs have the same state: a device holds it once.
    let binaries: u64 = NAMES.iter().map(|name| size(&format!("context/{name}_qnn.bin"))).sum();
    let embeddings = size("qdq/embeddings.safetensors");
    let device = &sizes["device"];
    assert_eq!(device["kv_cache_bytes"], kv_cache);
    assert_eq!(device["conv_state_bytes"], conv_state);
    assert_eq!(device["buffer_bytes"], buffers);
    assert_eq!(device["weight_bytes"], binaries);
    assert_eq!(device["embedding_bytes"], embeddings);
    assert_eq!(device["total_bytes"], binaries + kv_cache + conv_state + buffers + embeddings);
    let state = sizes["state"].as_array().unwrap();
    let kinds: Vec<_> = state.iter().map(|s| (s["kind"].as_str().unwrap(), &s["layers"], &s["tokens"])).collect();
    assert_eq!(kinds, [("kv-cache", &2.into(), &256.into()), ("conv-state", &2.into(), &2.into())]);
}

/// The bytes of the integers that stand for constants in the emitted models, and those of their inputs and outputs.
#[test]
fn weights_and_ports_are_those_of_the_emitted_models() {
    let script = "
import sys, json, math, onnx
from onnx import TensorProto as T
BITS = {T.INT4: 4, T.INT8: 8, T.UINT8: 8, T.UINT16: 16, T.INT32: 32}
def port(info):
    tensor = info.type.tensor_type
    return BITS[tensor.elem_type] // 8 * math.prod(d.dim_value for d in tensor.shape.dim)
made = {}
for path in sys.argv[1:]:
    graph = onnx.load(path, load_external_data=False).graph
    bits = {}
    for t in graph.initializer:
        if t.name.endswith('/q'):
            length = [int(e.value) for e in t.external_data if e.key == 'length']
            key = BITS[t.data_type]
            bits[key] = bits.get(key, 0) + (length[0] if length else len(t.raw_data))
    made[graph.name] = {'bits': bits, 'in': sum(map(port, graph.input)), 'out': sum(map(port, graph.output))}
print(json.dumps(made))
";
    let paths = NAMES.map(|name| demo_bundle().join(format!("qdq/{name}.onnx")));
    let emitted: Value = serde_json::from_str(&python(script, &paths)).unwrap();
    for partition in sizes()["partitions"].as_array().unwrap() {
        let emitted = &emitted[partition["name"].as_str().unwrap()];
        let weights = partition["weights"].as_array().unwrap();
        let by_bits: BTreeMap<String, Value> =
            weights.iter().map(|w| (w["bits"].to_string(), w["bytes"].clone())).collect();
        let wanted: BTreeMap<String, Value> = serde_json::from_value(emitted["bits"].clone()).unwrap();
        assert_eq!(by_bits, wanted, "{}", partition["name"]);
        assert!(!by_bits.is_empty() && emitted["in"].as_u64() > Some(0));
        assert_eq!((&partition["input_bytes"], &partition["output_bytes"]), (&emitted["in"], &emitted["out"]));
    }
}

#[test]
fn inspect_prints_the_sizes_of_the_report() {
    let demo = demo_bundle().to_str().unwrap();
    let value: Value = serde_json::from_str(&succeed(&["inspect", demo, "--json"])).unwrap();
    assert_eq!(value["sizes"], sizes());
    let text = succeed(&["inspect", demo]);
    let titles = "bytes of           4 bit   8 bit  16 bit  32 bit  KV cache  conv state  inputs  outputs  ";
    let at = text.find(titles).unwrap_or_else(|| panic!("no table in\n{text}"));
    let lines: Vec<&str> = text[at..].lines().collect();
    for (line, name) in lines[1..5].iter().zip(NAMES) {
        let binary = size(&format!("context/{name}_qnn.bin")).to_string();
        assert!(line.starts_with(name) && line.ends_with(&format!(" {binary}")), "{line}");
    }
    assert!(lines[5].starts_with("a device holds ") && lines[5].contains("KV cache 65.5 kB, conv state 1.0 kB"));
}
