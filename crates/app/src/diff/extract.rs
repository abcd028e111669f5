//! One operator in two small models, with its input, so that its fault shows by itself.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::models::Models;
use super::net::{Net, info, label};
use super::samples::{Sample, bytes_of};
use super::units::{Read, Unit, dequantizes, quantizes};
use super::values::values;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files;
use autoneural_engines::back::onnx::pb::{ModelProto, NodeProto};
use autoneural_engines::back::onnx::{encode, encode_as};
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::Array;

/// Names of the models that are written: the operator in float, and quantized.
const MODELS: [&str; 2] = ["float", "quantized"];
/// The file of its input.
const INPUT: &str = "input.safetensors";

/// Writes an operator into a new folder: what stands for it in the float model, the operator between its conversions,
/// and what it reads in float. It is named by its node, or by the value that it makes, in either model. The models stand
/// there in binary and, as far as they are small enough for that, in text form. Gives the files.
///
/// # Errors
/// No operator of this name, one without a counterpart, a folder that is there already.
pub fn extract(models: &Models, name: &str, folder: &Path, runtime: &Runtime) -> Result<Vec<PathBuf>> {
    let unit = find(models, name)?;
    let place = || format!("{}: node `{}`", models.quantized.path.display(), unit.name);
    let region = models.pairing.region(&models.float, unit).filter(|_| !unit.is_conversion);
    let region = region.ok_or_else(|| {
        Error::input(place(), "has no counterpart in the float model that computes the same of the same inputs")
    })?;
    let named = |border: &str| models.pairing.get(border).unwrap_or_default().to_string();
    let reads: Vec<String> = unit.reads.iter().map(|read| named(&read.border)).collect();
    let makes: Vec<String> = unit.makes.iter().map(|made| named(&made.border)).collect();
    let wanted: HashSet<&str> = reads.iter().chain(&makes).map(String::as_str).collect();
    let known = values(&models.float, runtime, models.sample.clone(), &wanted)?;
    let of = |name: &String| known.get(name).map(|array| (name.clone(), array));
    let mut inputs: Vec<(String, &Array)> = reads.iter().filter_map(of).collect();
    inputs.sort_by(|a, b| a.0.cmp(&b.0));
    inputs.dedup_by(|a, b| a.0 == b.0);
    let nodes = region.iter().map(|&at| models.float.nodes[at].clone()).collect();
    let float = typed(models.float.proto(nodes, vec![], &inputs, &makes)?, &known);
    let quantized = models.quantized.proto(quantized(models, unit, &reads, &makes), vec![], &inputs, &makes)?;
    let quantized = typed(quantized, &known);
    std::fs::create_dir(folder).at(folder)?;
    let sample = bytes_of(&inputs)?;
    let mut written = Vec::new();
    let mut write = |name: String, bytes: &[u8]| {
        written.push(folder.join(name));
        files::write(&written[written.len() - 1], bytes)
    };
    for (name, model) in MODELS.iter().zip([&float, &quantized]) {
        write(format!("{name}.onnx"), &encode(model))?;
        let name = format!("{name}.textproto");
        // Weights may make it too large for people to read.
        if let Ok(text) = encode_as(Path::new(&name), model) {
            write(name, &text)?;
        }
    }
    write(INPUT.into(), &sample)?;
    Ok(written)
}

fn find<'a>(models: &'a Models, name: &str) -> Result<&'a Unit> {
    let is_named = |unit: &&Unit| {
        let made = unit
            .makes
            .iter()
            .any(|made| made.names.iter().any(|one| one == name) || models.pairing.get(&made.border) == Some(name));
        let is_node = unit.nodes().any(|at| label(&models.quantized.nodes[at]) == name);
        is_node || (made && !unit.is_conversion)
    };
    models.units.iter().find(is_named).ok_or_else(|| {
        Error::input(models.quantized.path.display(), format!("has no operator `{name}`"))
            .help("--extract takes the name of a node or of the value that it makes; `diff --all` lists them")
    })
}

/// The operator between its conversions: from the float model's names to the float model's names.
fn quantized(models: &Models, unit: &Unit, reads: &[String], makes: &[String]) -> Vec<NodeProto> {
    let net = &models.quantized;
    let mut nodes: Vec<NodeProto> = Vec::new();
    let mut own: Vec<NodeProto> = unit.nodes().map(|at| net.nodes[at].clone()).collect();
    for (read, float) in unit.reads.iter().zip(reads) {
        let value = match read.dequantizer {
            None => float.clone(),
            Some(at) => {
                let (codes, value) = (format!("{float}/codes"), format!("{float}/read"));
                if !nodes.iter().any(|one| one.output[0] == value) {
                    nodes.push(rewired(&writer(net, read, at), float, &codes));
                    nodes.push(rewired(&net.nodes[at], &codes, &value));
                }
                value
            }
        };
        own[0].input.iter_mut().filter(|name| **name == read.value).for_each(|name| name.clone_from(&value));
    }
    let mut after = Vec::new();
    for (made, float) in unit.makes.iter().zip(makes) {
        let value = match made.quantizers.first() {
            None => float.clone(),
            Some(&at) => {
                let (codes, value) = (format!("{float}/codes"), format!("{float}/computed"));
                after.push(rewired(&net.nodes[at], &value, &codes));
                let reader = net.readers(&made.border).iter().find(|&&at| dequantizes(&net.nodes[at]));
                let reader =
                    reader.map_or_else(|| turned(&net.nodes[at], "DequantizeLinear"), |&at| net.nodes[at].clone());
                after.push(rewired(&reader, &codes, float));
                value
            }
        };
        let outputs = own.iter_mut().flat_map(|node| &mut node.output);
        outputs.filter(|name| **name == made.value).for_each(|name| name.clone_from(&value));
    }
    nodes.extend(own);
    nodes.extend(after);
    nodes
}

/// What makes the integers that a unit reads.
fn writer(net: &Net, read: &Read, dequantizer: usize) -> NodeProto {
    let maker = net.maker(&read.border).map(|at| &net.nodes[at]).filter(|node| quantizes(node));
    maker.cloned().unwrap_or_else(|| turned(&net.nodes[dequantizer], "QuantizeLinear"))
}

fn turned(node: &NodeProto, op: &str) -> NodeProto {
    NodeProto { op_type: op.into(), ..node.clone() }
}

fn rewired(node: &NodeProto, from: &str, to: &str) -> NodeProto {
    let mut made = node.clone();
    made.name = format!("{to}/node");
    (made.input[0], made.output[0]) = (from.to_string(), to.to_string());
    made
}

/// A model whose outputs say what they are.
fn typed(mut model: ModelProto, known: &Sample) -> ModelProto {
    for output in model.graph.iter_mut().flat_map(|graph| &mut graph.output) {
        if let Some(array) = known.get(&output.name) {
            *output = info(&output.name, array.elements.data_type(), Some(&array.shape));
        }
    }
    model
}
