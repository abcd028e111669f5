//! Checks that a model file is the one of its graph before an engine reads it: a bundle may come from an untrusted
//! place, and engines rely on the sizes and file names that a model states.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use autoneural_onnx::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::names::{float_name, read_name};
use super::proto::{model, summary};
use super::{ConstantPlace, DataWriter, decode, float, gelu, nodes, pair, split, wide};
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_core::ir::ops::OnnxForm;
use autoneural_core::ir::{Graph, Node, ValueId};
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::{is_product, weight};

/// Operator of a node that stands for a whole context binary.
const CONTEXT_NODE: &str = "EPContext";

/// Refuses a float model that is not what [`super::emit_float`] makes of the partition, but for the place of its
/// numbers in the data file.
///
/// # Errors
/// A file that is no ONNX model or another one, numbers outside of its data file.
pub fn check_float(partition: &Partition, path: &Path) -> Result<()> {
    let (found, made) = parts(path)?;
    let bytes = data_bytes(path, &partition.group)?;
    let stored = initializers(&found, &made, path)?;
    let expected = float::graph(&partition.graph, |value, constant| {
        let kept = float::kept_type(constant);
        let name = &float::stored_name(value, kept);
        let tensor =
            stored.get(name.as_str()).ok_or_else(|| other(path, format!("the constant `{name}` is not in it")))?;
        let length = kept.bytes() * value.shape.iter().product::<usize>();
        let offset = offset(tensor).filter(|offset| offset.checked_add(length as u64).is_some_and(|end| end <= bytes));
        let offset = offset.ok_or_else(|| other(path, format!("`{name}` is not in its data file")))?;
        let data = DataWriter::name_of(&partition.group);
        Ok(float::stored(value, ConstantPlace { offset, stored: kept }, &data))
    })?;
    let producer_version = found.producer_version.clone();
    if made == expected && found == (ModelProto { producer_version, graph: None, ..model(GraphProto::default()) }) {
        return Ok(());
    }
    let node = made.node.iter().zip(&expected.node).find(|(a, b)| a != b).map(|(_, node)| &node.name);
    let tensor = made.initializer.iter().zip(&expected.initializer).find(|(a, b)| a != b).map(|(_, it)| &it.name);
    Err(other(
        path,
        match node.or(tensor) {
            Some(name) => format!("`{name}` is another one"),
            None => "nodes, constants or ports are others".into(),
        },
    ))
}

/// Refuses a quantized model with other operators than the graph's, between QuantizeLinear and DequantizeLinear, and
/// one whose numbers are not where it says.
///
/// # Errors
/// A file that is no ONNX model or another one, numbers outside of its data file or of another size than their shape.
pub fn check_quantized(graph: &Graph, group: &Group, path: &Path) -> Result<()> {
    let (found, made) = parts(path)?;
    let data = DataWriter::name_of(group);
    let bytes = data_bytes(path, group)?;
    let stored = initializers(&found, &made, path)?;
    for (name, tensor) in &stored {
        let length = length(tensor).ok_or_else(|| other(path, format!("the size of `{name}` cannot be")))?;
        let is_there = match tensor.external_data.is_empty() {
            true => tensor.raw_data.len() as u64 == length,
            false => {
                let end = offset(tensor).and_then(|offset| offset.checked_add(length));
                entry(tensor, "location") == Some(data.as_str())
                    && entry(tensor, "length") == Some(&length.to_string())
                    && end.is_some_and(|end| end <= bytes)
            }
        };
        if !is_there {
            return Err(other(path, format!("`{name}` has not the bytes of its shape")));
        }
    }
    let shape = Shape::of(graph);
    for node in &made.node {
        let is_known = match node.op_type.as_str() {
            "QuantizeLinear" | "DequantizeLinear" => shape.converts(node),
            _ => shape.computes(node, &stored),
        };
        if !is_known && shape.others.get(node.name.as_str()) != Some(node) {
            return Err(other(path, format!("the node `{}` is another one", node.name)));
        }
    }
    ports(graph.inputs(), &made.input, graph, path)?;
    ports(graph.outputs(), &made.output, graph, path)
}

/// Refuses a context model that is anything but one node that refers to a binary beside it, with these values of the
/// graph as its inputs and outputs.
///
/// # Errors
/// A file that is no ONNX model or another one.
pub fn check_context(graph: &Graph, inputs: &[ValueId], outputs: &[ValueId], path: &Path) -> Result<()> {
    let (found, made) = parts(path)?;
    let stored = initializers(&found, &made, path)?;
    let is_outside = |node: &NodeProto| {
        node.op_type == CONTEXT_NODE && node.attribute.iter().any(|one| one.name == "embed_mode" && one.i == 0)
    };
    match made.node.as_slice() {
        [node] if stored.is_empty() && is_outside(node) => {}
        _ => return Err(other(path, "one node is wanted that refers to a context binary".into())),
    }
    ports(inputs, &made.input, graph, path)?;
    ports(outputs, &made.output, graph, path)
}

fn other(path: &Path, what: String) -> Error {
    Error::input(path.display(), format!("is not the model of its graph: {what}"))
        .help("the file is damaged, or of another version: the stage that wrote it makes it anew")
}

/// Size of the data file beside a model.
fn data_bytes(path: &Path, group: &Group) -> Result<u64> {
    let data = path.with_file_name(DataWriter::name_of(group));
    match std::fs::metadata(&data) {
        Ok(meta) if meta.is_file() => Ok(meta.len()),
        Ok(_) => Err(Error::input(data.display(), "is no file")),
        // A model without large constants has none.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error).reading(&data),
    }
}

/// A model file without its graph, and the graph.
fn parts(path: &Path) -> Result<(ModelProto, GraphProto)> {
    let mut found = decode(path)?;
    let graph = found.graph.take().unwrap_or_default();
    Ok((found, graph))
}

/// Initializers by name; what this program never writes is refused.
fn initializers<'a>(
    found: &ModelProto,
    graph: &'a GraphProto,
    path: &Path,
) -> Result<HashMap<&'a str, &'a TensorProto>> {
    let only_nodes =
        found.functions.is_empty() && found.training_info.is_empty() && graph.sparse_initializer.is_empty();
    let flat = graph.node.iter().flat_map(|node| &node.attribute).all(|one| {
        one.g.is_none()
            && one.graphs.is_empty()
            && one.t.is_none()
            && one.tensors.is_empty()
            && one.sparse_tensor.is_none()
            && one.sparse_tensors.is_empty()
    });
    if !only_nodes || !flat {
        return Err(other(path, "it holds graphs or tensors within nodes".into()));
    }
    let stored: HashMap<&str, &TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    match stored.len() == graph.initializer.len() {
        true => Ok(stored),
        false => Err(other(path, "constants have the same name".into())),
    }
}

fn entry<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

fn offset(tensor: &TensorProto) -> Option<u64> {
    entry(tensor, "offset")?.parse().ok()
}

/// Bytes that the elements of a tensor take.
fn length(tensor: &TensorProto) -> Option<u64> {
    let bits = match tensor.data_type {
        2 | 3 | 9 => 8,
        4 | 5 => 16,
        1 | 6 => 32,
        7 => 64,
        22 => 4,
        _ => return None,
    };
    let sizes = tensor.dims.iter().map(|&size| u64::try_from(size).ok());
    let count = sizes.into_iter().try_fold(1u64, |count, size| count.checked_mul(size?))?;
    Some(count.checked_mul(bits)?.div_ceil(8))
}

/// What a quantized model's nodes may be.
struct Shape<'a> {
    graph: &'a Graph,
    values: HashMap<&'a str, ValueId>,
    nodes: HashMap<&'a str, &'a Node>,
    makers: HashMap<ValueId, &'a Node>,
    /// Nodes that products, weights and GELUs become which are written in another form, by name.
    others: HashMap<String, NodeProto>,
}

impl<'a> Shape<'a> {
    fn of(graph: &'a Graph) -> Self {
        let nodes = graph.nodes();
        let split = nodes.iter().filter(|node| is_product(graph, node)).flat_map(|node| split::nodes(graph, node));
        let has_weights = |node: &&Node| weight(graph, node).is_some();
        // What cannot be spelled out is in no model.
        let pairs = nodes.iter().filter(has_weights).filter_map(|node| pair::nodes(graph, node).ok()).flatten();
        let spelled = nodes.iter().flat_map(|node| gelu::nodes(graph, node));
        Shape {
            graph,
            values: graph.values().map(|(id, value)| (value.name.as_str(), id)).collect(),
            nodes: nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
            makers: nodes.iter().flat_map(|node| node.outputs.iter().map(move |&id| (id, node))).collect(),
            others: split.chain(pairs).chain(spelled).map(|node| (node.name.clone(), node)).collect(),
        }
    }

    /// Whether a node is what the graph's node of its name becomes, with the integers that it reads.
    fn computes(&self, found: &NodeProto, stored: &HashMap<&str, &TensorProto>) -> bool {
        let name = found.name.as_str();
        let of_integers = || self.nodes.get(name.strip_suffix(OnnxForm::INTEGERS)?);
        let Some(ir) = self.nodes.get(name).or_else(of_integers) else { return false };
        if ir.op.requantizes() {
            return false;
        }
        let shapes: Vec<_> = ir.inputs.iter().map(|&id| &self.graph.value(id).shape).collect();
        let inputs = ir.inputs.iter().map(|&id| read_name(self.graph, id)).collect();
        let outputs = ir.outputs.iter().map(|&id| float_name(self.graph, id)).collect();
        let found = &NodeProto { input: wide::plain_inputs(self.graph, ir, &found.input), ..found.clone() };
        nodes::emit(ir, &shapes, inputs, outputs).is_ok_and(|(nodes, extra)| {
            let is_stored = |tensor: &TensorProto| stored.get(tensor.name.as_str()).is_some_and(|it| *it == tensor);
            nodes.contains(found) && extra.iter().all(is_stored)
        })
    }

    /// Whether a node makes integers of a value's float, or the float that others read of its integers.
    fn converts(&self, found: &NodeProto) -> bool {
        let ([from, scale, zero_point], [to]) = (found.input.as_slice(), found.output.as_slice()) else { return false };
        let name = scale.strip_suffix("/scale").unwrap_or_default();
        let Some(&id) = self.values.get(name) else {
            return self.reads_half(found, name) || self.changes_width(found, name);
        };
        let integers = [name.to_string(), format!("{name}/q")];
        let fits = match found.op_type.as_str() {
            "QuantizeLinear" => {
                let source = match self.makers.get(&id) {
                    Some(maker) if maker.op.requantizes() => read_name(self.graph, maker.inputs[0]),
                    _ => float_name(self.graph, id),
                };
                // Integers of an output may be made of those that nodes read.
                let is_of_output = *to == name && *from == read_name(self.graph, id);
                let is_narrowed = *from == format!("{}/dq", wide::made(name));
                integers.contains(to) && (*from == source || is_of_output || is_narrowed)
            }
            _ => integers.contains(from) && *to == format!("{name}/dq"),
        };
        fits && found.domain.is_empty() && *zero_point == format!("{name}/zero_point")
    }

    /// Whether a node makes a computed value in 16 bits, or the float that others read of it.
    fn changes_width(&self, found: &NodeProto, name: &str) -> bool {
        let Some((value, is_read)) = wide::of(name) else { return false };
        let Some(&id) = self.values.get(value).filter(|id| self.graph.value(**id).constant().is_none()) else {
            return false;
        };
        let source = if is_read { read_name(self.graph, id) } else { float_name(self.graph, id) };
        let integers = format!("{name}/q");
        let (from, to) = match found.op_type.as_str() {
            "QuantizeLinear" => (source, integers),
            _ => (integers, format!("{name}/dq")),
        };
        found.domain.is_empty()
            && found.input == [from, format!("{name}/scale"), format!("{name}/zero_point")]
            && found.output == [to]
    }

    /// Whether a node makes the float that others read of half a constant.
    fn reads_half(&self, found: &NodeProto, name: &str) -> bool {
        let whole = pair::HALVES.iter().find_map(|half| name.strip_suffix(half)?.strip_suffix('/'));
        let is_constant = |id: &ValueId| self.graph.value(*id).constant().is_some();
        let inputs = ["q", "scale", "zero_point"].map(|part| format!("{name}/{part}"));
        whole.and_then(|whole| self.values.get(whole)).is_some_and(is_constant)
            && found.op_type == "DequantizeLinear"
            && found.domain.is_empty()
            && found.input == inputs
            && found.output == [format!("{name}/dq")]
    }
}

fn ports(ids: &[ValueId], infos: &[ValueInfoProto], graph: &Graph, path: &Path) -> Result<()> {
    let found: BTreeMap<String, Vec<i64>> = infos.iter().map(summary).map(|(name, _, sizes)| (name, sizes)).collect();
    let wanted = ids
        .iter()
        .map(|&id| graph.value(id))
        .map(|value| (value.name.clone(), value.shape.iter().map(|&size| size as i64).collect()));
    match found == wanted.collect() {
        true => Ok(()),
        false => Err(other(path, "its inputs or outputs are others".into())),
    }
}
