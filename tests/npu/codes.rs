//! `codes/`: the integers of constants, made once, and held by the models as they are.

use std::path::Path;

use autoneural::back::encodings;
use autoneural::back::onnx::{DataWriter, emit_qdq};
use autoneural::encoding::{Encoding, IntegerType};
use autoneural::engine::{Engine, Tensor};
use autoneural::ir::ops::{Axes, MatMul};
use autoneural::ir::{Builder, Constant, ElementType};
use autoneural::partition::{Partition, Port};
use autoneural::passes::Frozen;
use autoneural::program::Group;
use autoneural::quantize::{self, Forms, RoundedNow, Table};
use serde_json::Value;

use crate::common::files;
use crate::common::{demo_bundle, python, runtime, stderr};
use crate::sealed::Sealed;

/// Compares every code of a bundle with what the models hold; prints how many tensors of how many constants were
/// compared.
const COMPARE: &str = r"
import glob, json, os, struct, sys
import onnx
root = os.path.dirname(os.path.dirname(sys.argv[1]))
codes = {}
for path in glob.glob(os.path.join(glob.escape(root), 'codes', '**', '*.safetensors'), recursive=True):
    data = open(path, 'rb').read()
    length = struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:8 + length])
    group = os.path.relpath(path, os.path.join(root, 'codes')).split('/')[0].removesuffix('.safetensors')
    for key, record in json.loads(header['__metadata__']['codes']).items():
        begin, end = header[key]['data_offsets']
        assert record['rounding'] == 'nearest', record
        codes.setdefault((group, record['name']), []).append((record, data[8 + length + begin:8 + length + end]))
compared = 0
for path in sys.argv[1:]:
    model = onnx.load(path)
    group = os.path.basename(path).split('.')[0]
    for tensor in model.graph.initializer:
        if tensor.name.endswith('/q'):
            found = codes[(group, tensor.name[:-2])]
            integer = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
            cut_off = [int(note.value) for note in tensor.metadata_props if note.key == 'autoneural.cut_off']
            def holds(data):
                # A bias of a convolution is the nearest that the NPU can keep.
                if not cut_off:
                    return bytes(tensor.raw_data) == data
                kept, asked = (struct.unpack(f'<{len(data) // 4}i', one) for one in (tensor.raw_data, data))
                return all(abs(k - a) <= cut_off[0] // 2 + 1 for k, a in zip(kept, asked, strict=True))
            assert any(holds(data) and record['shape'] == list(tensor.dims)
                       and record['integer'] == integer for record, data in found), tensor.name
            compared += 1
print(compared, sum(len(found) for found in codes.values()))
";

fn compare(bundle: &Path) -> (usize, usize) {
    let models = ["vision", "projector", "language.prefill", "language.decode"];
    let said = python(COMPARE, &models.map(|name| bundle.join(format!("qdq/{name}.onnx"))));
    let (compared, codes) = said.trim().split_once(' ').expect("two numbers");
    (compared.parse().unwrap(), codes.parse().unwrap())
}

#[test]
fn the_models_hold_the_codes_of_the_bundle_which_prefill_and_decode_share() {
    let (compared, codes) = compare(demo_bundle());
    let constants = |name: &str| {
        let graph: Value = crate::common::json(&demo_bundle().join(format!("model/{name}.json")));
        graph["constants"].as_array().unwrap().len()
    };
    let [vision, projector, prefill, decode] =
        ["vision", "projector", "language.prefill", "language.decode"].map(constants);
    assert_eq!(compared, vision + projector + prefill + decode);
    assert_eq!(codes, vision + projector + prefill.max(decode));
    // Four bits are half a byte.
    let weight = "codes/language/layers.0.conv.in_proj.weight.safetensors";
    let bytes = std::fs::read(demo_bundle().join(weight)).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let text: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let record: Value = serde_json::from_str(text["__metadata__"]["codes"].as_str().unwrap()).unwrap();
    let record = &record["layers.0.conv.in_proj.weight"];
    let count: u64 = record["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).product();
    assert_eq!((record["integer"].as_str(), count.div_ceil(2)), (Some("int4"), (bytes.len() - 8 - header) as u64));
}

#[test]
fn encodings_that_were_edited_by_hand_give_new_codes_of_their_layer_alone() {
    const WEIGHT: &str = "layers.0.conv.in_proj.weight";
    let sealed = Sealed::of(demo_bundle());
    let bundle = sealed.path("bundle");
    let emit = || {
        let output = sealed.run(&["emit", "bundle", "-q"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let mut found = files(&bundle);
        found.retain(|name, _| name.starts_with("codes/"));
        found
    };
    let double = |partition: &str| {
        sealed.edit(&format!("encodings/{partition}.json"), |encodings| {
            let params = encodings["param_encodings"].as_array_mut().unwrap();
            let entry = params.iter_mut().find(|entry| entry["name"] == WEIGHT).unwrap();
            for scale in entry["scale"].as_array_mut().unwrap() {
                *scale = (scale.as_f64().unwrap() * 2.0).into();
            }
        });
    };
    let before = emit();
    let mut compiled = files(demo_bundle());
    compiled.retain(|name, _| name.starts_with("codes/"));
    assert!(before == compiled);
    // One of two graphs that share the weight: there are codes of both encodings, and each model holds its own.
    double("language.decode");
    let apart = emit();
    let second = format!("codes/language/{WEIGHT}.2.safetensors");
    assert_eq!(apart.keys().filter(|name| !before.contains_key(*name)).collect::<Vec<_>>(), [&second]);
    assert!(before.iter().all(|(name, bytes)| apart[name] == *bytes));
    let (compared, codes) = compare(&bundle);
    // Both again: one kind of codes, and they are the new ones.
    double("language.prefill");
    let both = emit();
    let first = format!("codes/language/{WEIGHT}.safetensors");
    assert!(both[&first] == apart[&second]);
    assert_eq!(both.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(before.iter().all(|(name, bytes)| *name == first || both[name] == *bytes));
    assert_eq!(compare(&bundle), (compared, codes - 1));
}

/// A product of two rows with weights of 4 bits, each 32 of which have a scale of their own.
fn in_blocks(weights: &[f32]) -> (Partition, Table) {
    let mut b = Builder::new("projector");
    let x = b.input("x", vec![1, 2, 64], ElementType::F32).unwrap();
    let w = b.constant("w", Constant::from_values(weights.to_vec(), vec![64, 24])).unwrap();
    let outputs = b.node_outputs("y", MatMul, &[x, w]).unwrap();
    let port = |name: &str| Port { encoding_key: name.into(), ..Port::plain(name.into()) };
    let partition = Partition {
        name: "projector".into(),
        group: Group::fixed("projector"),
        graph: Frozen::new(b.finish(outputs)).unwrap(),
        inputs: vec![port("x")],
        outputs: vec![port("y")],
    };
    let mut table = Table::default();
    table.activations.insert("x".into(), Encoding::of_range(IntegerType::Uint16, -1.0, 1.0));
    table.activations.insert("y".into(), Encoding::of_range(IntegerType::Uint16, -400.0, 400.0));
    let made = quantize::in_blocks(
        IntegerType::Int4,
        (weights, &[64, 24]),
        Axes { output: Some(1), input: 0 },
        32,
        (&[], &[]),
    );
    table.params.insert("w".into(), made);
    (partition, table)
}

#[test]
fn encodings_in_blocks_are_written_read_and_emitted() {
    let weights: Vec<f32> = (0..64 * 24).map(|at| ((at * 37) % 101) as f32 / (1 + at % 24) as f32 - 2.0).collect();
    let (partition, made) = in_blocks(&weights);
    let folder = tempfile::tempdir().unwrap();
    let (file, model) = (folder.path().join("encodings.json"), folder.path().join("projector.onnx"));
    encodings::write(&made, &partition.graph, &file).unwrap();
    let table = encodings::read(&std::fs::read(&file).unwrap(), &file, &partition.graph).unwrap();
    assert_eq!(table, made);
    let mut data = DataWriter::create(folder.path(), &Group::fixed("projector")).unwrap();
    emit_qdq(&partition.graph, &table, &RoundedNow, &Forms::default(), &model, &mut data).unwrap();
    data.finish().unwrap();
    let x: Vec<f32> = (0..128).map(|at| ((at * 29) % 64) as f32 / 32.0 - 1.0).collect();
    let input = Tensor::f32(vec![1, 2, 64], x).encode(table.activations.get("x")).unwrap();
    let made = runtime().simulate(&partition, &model).unwrap().run(std::slice::from_ref(&input)).unwrap();
    let made = made[0].decode(table.activations.get("y"));
    // By hand, with the weights that the codes stand for.
    let (x, encoding) = (input.decode(table.activations.get("x")), &table.params["w"]);
    let rounded = encoding.dequantize(&encoding.quantize(&weights, &[64, 24]), &[64, 24]);
    let step = table.activations["y"].scale[0];
    for row in 0..2 {
        for column in 0..24 {
            let x = &x.as_f32().unwrap()[row * 64..][..64];
            let sum: f32 = x.iter().enumerate().map(|(at, x)| x * rounded[at * 24 + column]).sum();
            let made = made.as_f32().unwrap()[row * 24 + column];
            assert!((made - sum).abs() <= step, "{row} {column}: {made} for {sum}");
        }
    }
}
