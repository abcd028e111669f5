//! ONNX files of a bundle that somebody else made: their hashes fit, and what they say need not.

use autoneural_onnx::tensor_shape_proto::{Dimension, dimension};
use autoneural_onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, type_proto};
use prost::Message;

use crate::common::bench::INPUT;
use crate::common::{demo_bundle, stderr, toolkit};
use crate::sealed::Sealed;

/// A file of a bundle, damaged, with the hash that the manifest says.
fn put(sealed: &Sealed, file: &str, bytes: &[u8]) {
    std::fs::write(sealed.path("bundle").join(file), bytes).expect("written");
    sealed.seal(file);
}

/// Runs a command of the bundle under the limits of bad input; expects that the file is named as damaged.
fn expect_damaged(case: &str, sealed: &Sealed, file: &str, on: &str) {
    let toolkit = toolkit();
    let line = "ulimit -v 4000000; ulimit -t 60; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("bash");
    command.arg("-c").arg(line).arg(env!("CARGO_BIN_EXE_autoneural")).current_dir(sealed.path(""));
    command.args(["run", "bundle", "-q", "--on", on, "--prompt", "hi", "--max-tokens", "1", "--image"]);
    command.arg(crate::common::root("calibration/photos/cat.jpg")).arg("--toolkit").arg(toolkit);
    let output = command.output().expect("bash starts");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(INPUT), "{case}: {said}");
    assert!(said.starts_with("error: ") && said.contains(file), "{case}: {said}");
    assert!(!said.contains("panicked"), "{case}: {said}");
}

type Damage = fn(&mut ModelProto);

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().expect("a graph")
}

fn first<'a>(model: &'a mut ModelProto, op: &str) -> &'a mut NodeProto {
    graph(model).node.iter_mut().find(|node| node.op_type == op).expect("such a node")
}

fn outside<'a>(tensor: &'a mut TensorProto, key: &str) -> &'a mut String {
    &mut tensor.external_data.iter_mut().find(|entry| entry.key == key).expect("an entry").value
}

fn stored(model: &mut ModelProto) -> &mut TensorProto {
    graph(model).initializer.iter_mut().find(|tensor| !tensor.external_data.is_empty()).expect("a stored tensor")
}

/// Damages that a float model and a quantized one may have alike.
const DAMAGES: [(&str, Damage); 17] = [
    ("no graph", |model| model.graph = None),
    ("an operator of another name", |model| first(model, "Conv").op_type = "Conw".into()),
    ("an operator of another domain", |model| first(model, "Conv").domain = "com.example".into()),
    ("a stride of zero", |model| first(model, "Conv").attribute.iter_mut().for_each(|one| one.ints.fill(0))),
    ("pads without end", |model| {
        let conv = first(model, "Conv");
        conv.attribute.iter_mut().filter(|one| one.name == "pads").for_each(|one| one.ints.fill(1 << 40));
    }),
    ("fewer inputs", |model| drop(first(model, "Conv").input.pop())),
    ("an input of nothing", |model| first(model, "Conv").input[0] = "nothing".into()),
    ("a node less", |model| drop(graph(model).node.pop())),
    ("a tensor made from a shape", |model| {
        let shape = TensorProto { name: "huge".into(), dims: vec![1], data_type: 7, ..TensorProto::default() };
        graph(model).initializer.push(TensorProto { raw_data: (1i64 << 40).to_le_bytes().to_vec(), ..shape });
        let node = NodeProto { op_type: "ConstantOfShape".into(), name: "huge/node".into(), ..NodeProto::default() };
        graph(model).node.insert(0, NodeProto { input: vec!["huge".into()], output: vec!["x".into()], ..node });
    }),
    ("a constant with sizes without end", |model| stored(model).dims = vec![1 << 40, 1 << 40]),
    ("a constant of negative size", |model| stored(model).dims[0] = -1),
    ("a constant of another type", |model| stored(model).data_type = 8),
    ("numbers behind the end", |model| *outside(stored(model), "offset") = u64::MAX.to_string()),
    ("more numbers than there are", |model| *outside(stored(model), "length") = (1u64 << 50).to_string()),
    ("numbers of another file", |model| *outside(stored(model), "location") = "../../../../etc/passwd".into()),
    ("a graph in a node", |model| {
        let one = AttributeProto { name: "body".into(), g: Some(GraphProto::default()), ..AttributeProto::default() };
        first(model, "Conv").attribute.push(one);
    }),
    ("an input of another shape", |model| {
        let info = graph(model).input[0].r#type.as_mut().and_then(|kind| kind.value.as_mut());
        let Some(type_proto::Value::TensorType(tensor)) = info else { panic!("a tensor") };
        let dim = Dimension { value: Some(dimension::Value::DimValue(1 << 40)), ..Dimension::default() };
        tensor.shape.as_mut().expect("a shape").dim[2] = dim;
    }),
];

fn damage(sound: &[u8], by: Damage) -> Vec<u8> {
    let mut model = ModelProto::decode(sound).expect("a model");
    by(&mut model);
    let made = model.encode_to_vec();
    assert_ne!(made, sound, "the damage changes nothing");
    made
}

#[test]
fn a_damaged_float_model_is_named() {
    let sealed = Sealed::of(demo_bundle());
    let file = "model/vision.onnx";
    let sound = std::fs::read(sealed.path("bundle").join(file)).expect("a file");
    for (case, by) in DAMAGES {
        put(&sealed, file, &damage(&sound, by));
        expect_damaged(case, &sealed, file, "float");
    }
    // Bytes that were turned around, all over the file: a disk, a transfer, an attack.
    for step in 0..24 {
        let mut bytes = sound.clone();
        let at = step * (sound.len() - 1) / 23;
        bytes[at] ^= 0x15;
        put(&sealed, file, &bytes);
        expect_damaged(&format!("byte {at}"), &sealed, file, "float");
        put(&sealed, file, &sound[..at]);
        expect_damaged(&format!("cut off at {at}"), &sealed, file, "float");
    }
    // A data file that is shorter, and fits its hash.
    put(&sealed, file, &sound);
    let data = std::fs::read(sealed.path("bundle/model/vision.data")).expect("a file");
    put(&sealed, "model/vision.data", &data[..data.len() / 2]);
    expect_damaged("half of the numbers", &sealed, "model/vision", "float");
}

#[test]
fn a_damaged_quantized_model_is_named() {
    let sealed = Sealed::of(demo_bundle());
    let file = "qdq/vision.onnx";
    let sound = std::fs::read(sealed.path("bundle").join(file)).expect("a file");
    for (case, by) in DAMAGES {
        put(&sealed, file, &damage(&sound, by));
        expect_damaged(case, &sealed, file, "simulated");
    }
}

#[test]
fn a_context_model_is_one_node_and_a_file() {
    let sealed = Sealed::of(demo_bundle());
    let file = "context/vision.onnx";
    let sound = std::fs::read(sealed.path("bundle").join(file)).expect("a file");
    let damages: [(&str, Damage); 5] = [
        ("a node beside it", |model| {
            let node = NodeProto { op_type: "Identity".into(), ..NodeProto::default() };
            graph(model).node.push(node);
        }),
        ("the binary within it", |model| {
            first(model, "EPContext")
                .attribute
                .iter_mut()
                .filter(|one| one.name == "embed_mode")
                .for_each(|one| one.i = 1);
        }),
        ("a binary elsewhere", |model| {
            let entries = first(model, "EPContext").attribute.iter_mut();
            entries.filter(|one| one.name == "ep_cache_context").for_each(|one| one.s = b"../../x.bin".to_vec());
        }),
        ("no nodes", |model| graph(model).node.clear()),
        ("an output of another name", |model| graph(model).output[0].name.push('x')),
    ];
    for (case, by) in damages {
        put(&sealed, file, &damage(&sound, by));
        expect_damaged(case, &sealed, file, "npu");
    }
}
