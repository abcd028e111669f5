//! ONNX models of a bundle: looked at, and run in float.

use autoneural::back::onnx::{decode, encode_as, op_counts, summary};
use autoneural::back::qnn::Runtime;
use autoneural::bundle::Bundle;
use autoneural::engine::{Engine, Reference, Tensor};
use autoneural::error::Kind;
use autoneural::front::GRAPHS;
use autoneural::front::onnx::import;
use autoneural::passes::{Context, as_built, freeze};
use autoneural::target::Target;
use autoneural::{Error, Result};

use prost::Message;

use super::place::look;
use super::{Place, Run, bundle, calibrated, checkpoint, host, texts};

pub fn onnx(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("model.onnx", bytes);
    let model = decode(&path)?;
    assert!(op_counts(&model).values().sum::<usize>() <= bytes.len());
    let graph = model.graph.expect("a model has a graph");
    for info in graph.input.iter().chain(&graph.output) {
        let _ = summary(info);
    }
    imported(&path);
    Runtime::nodes_outside(&path)?;
    if let Ok(binary) = Runtime::binary_of(&path) {
        assert_eq!(binary.parent(), path.parent(), "a path leaves the folder");
    }
    Ok(())
}

/// A model from elsewhere, as far as a bundle of it goes without samples.
pub fn imported_model(place: &Place, bytes: &[u8]) -> Result<()> {
    imported(&place.put("model.onnx", bytes));
    Ok(())
}

/// A model in text form: what is read and printed again is the same.
pub fn model_text(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("model.textproto", bytes);
    let model = decode(&path)?;
    let text = encode_as(&path, &model)?;
    assert_eq!(decode(&place.put("again.textproto", &text))?.encode_to_vec(), model.encode_to_vec());
    imported(&path);
    Ok(())
}

fn imported(path: &std::path::Path) {
    match import(path, &[]) {
        Err(error) => assert_ne!(error.kind, Kind::Internal, "a damaged model is no defect of the program: {error}"),
        Ok(model) => {
            let (target, _) = Target::find("sa8295p").expect("a target");
            let context = Context { target: &target };
            for made in [as_built(&model.graph), freeze(&model.graph, context)] {
                made.expect("what the importer lets through has every later form");
            }
        }
    }
}

pub fn float_model(place: &Place, bytes: &[u8]) -> Result<()> {
    let holds = |name: &&str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
    let name = GRAPHS[1..].iter().find(|name| holds(name)).unwrap_or(&"vision");
    let bundle = Bundle::look(&place.bundle_with("float-model", &format!("model/{name}.onnx"), bytes))?;
    let partitions = bundle.partitions()?;
    let partition = partitions.iter().find(|partition| partition.name == *name).expect("a partition");
    let mut reference = Reference::load(partition, &bundle.float_model(partition))?;
    let inputs = partition.graph.inputs().iter().map(|&id| {
        let value = partition.graph.value(id);
        let count = value.shape.iter().product();
        match value.element.is_real() {
            true => Tensor::f32(value.shape.clone(), vec![0.5; count]),
            false => Tensor::i32(value.shape.clone(), vec![0; count]),
        }
    });
    let inputs: Vec<Tensor> = inputs.collect();
    reference.run(&inputs).map(drop)
}

/// Bytes of one kind of file where another is wanted.
pub fn any_reader(place: &Place, bytes: &[u8]) -> Result<()> {
    let readers: [Run; 18] = [
        checkpoint::safetensors,
        checkpoint::index,
        texts::definition,
        texts::recipe,
        texts::target,
        texts::thresholds,
        texts::questions,
        bundle::baseline,
        bundle::manifest,
        bundle::report,
        bundle::graph,
        bundle::encodings,
        bundle::statistics,
        calibrated::seen,
        calibrated::codes,
        onnx,
        host::tokenizer_config,
        host::picture,
    ];
    let read = readers.iter().filter_map(|reader| look(reader(place, bytes))).count();
    match read {
        0 => Err(Error::input("input", "is of no kind that is known")),
        _ => Ok(()),
    }
}
