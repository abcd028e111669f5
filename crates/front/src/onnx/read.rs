//! From the messages of a model file to a model that is checked: which versions it is of, which names it has, in which
//! order its nodes can run.

use std::collections::{HashMap, HashSet};

use super::inline;
use super::model::{Axis, Declared, Given, MOST_NODES, Model, Node, is_standard};
use super::order::ordered;
use super::renamed::{Copied, defined};
use super::tensors;
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::ops::Attribute;
use autoneural_core::ir::{Constant, ElementType};
use autoneural_onnx::attribute_proto::AttributeType;
use autoneural_onnx::tensor_shape_proto::dimension;
use autoneural_onnx::{
    AttributeProto, DataFiles, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, type_proto,
};

/// Operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;
/// Versions of the file format that are read: 3 is the first with operator sets.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=14;
/// Reads and checks the messages of a file.
///
/// # Errors
/// Versions that are not read, names that stand twice or nowhere, tensors that are not where the file says, nodes that
/// wait for each other.
pub fn model(model: &ModelProto, data: &mut DataFiles) -> Result<Model> {
    let opset = model.opset_import.iter().find(|set| is_standard(&set.domain)).map_or(1, |set| set.version);
    if !OPSETS.contains(&opset) {
        let message = format!("is of operator set {opset}; {} to {} are read", OPSETS.start(), OPSETS.end());
        return Err(Error::input("model", message).help("export it again for operator set 17"));
    }
    if !IR_VERSIONS.contains(&model.ir_version) {
        let (first, last) = (IR_VERSIONS.start(), IR_VERSIONS.end());
        let message = format!("is of IR version {}; {first} to {last} are read", model.ir_version);
        return Err(Error::input("model", message));
    }
    let graph = model.graph.as_ref().ok_or_else(|| Error::input("model", "has no graph"))?;
    if graph.node.len() > MOST_NODES {
        return Err(Error::input("model", format!("has {} nodes; at most {MOST_NODES} are read", graph.node.len())));
    }
    let mut constants = initializers(graph, data)?;
    let mut integers: HashMap<String, i32> = graph.initializer.iter().filter_map(integers_of).collect();
    let inputs = inputs(graph, &constants)?;
    let protos = inline::nodes(model, graph, opset)?;
    let taken = defined(graph).into_iter().map(ToString::to_string).collect();
    let mut reading = Reading { data, taken, copied: Copied::default() };
    reading.taken.extend(protos.iter().flat_map(|node| node.output.iter().cloned()));
    let nodes = reading.nodes(&protos, &mut constants, &mut integers, &inputs)?;
    let outputs: Vec<String> = graph.output.iter().map(|info| info.name.clone()).collect();
    refuse_odd_outputs(&outputs)?;
    let given: HashSet<&str> =
        inputs.iter().map(|input| input.name.as_str()).chain(constants.keys().map(String::as_str)).collect();
    let nodes = ordered(nodes, &given, &outputs)?;
    let is_own = model.producer_name == autoneural_base::version::PROGRAM;
    Ok(Model { name: graph.name.clone(), opset, is_own, inputs, outputs, nodes, constants, integers })
}

/// Name and type of a tensor of integers.
fn integers_of(tensor: &TensorProto) -> Option<(String, i32)> {
    (!matches!(tensor.data_type, 1 | 10 | 11 | 16)).then(|| (tensor.name.clone(), tensor.data_type))
}

fn twice(node: &str, name: &str) -> Error {
    Error::input(format!("node `{node}`"), format!("two values are named `{name}`"))
}

fn refuse_odd_outputs(outputs: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    if outputs.is_empty() {
        return Err(Error::input("model", "has no output"));
    }
    match outputs.iter().find(|name| name.is_empty() || !seen.insert(name.as_str())) {
        Some(name) if name.is_empty() => Err(Error::input("model", "has an output without a name")),
        Some(name) => Err(Error::input(format!("output `{name}`"), "stands twice")),
        None => Ok(()),
    }
}

/// The constants of a graph by name.
///
/// # Errors
/// A tensor that cannot be read, two of one name.
pub fn initializers(graph: &GraphProto, data: &mut DataFiles) -> Result<HashMap<String, Constant>> {
    if !graph.sparse_initializer.is_empty() {
        return Err(Error::input("model", "has sparse tensors, which are not supported"));
    }
    let mut constants = HashMap::with_capacity(graph.initializer.len());
    for tensor in &graph.initializer {
        let place = || format!("initializer `{}`", tensor.name);
        let constant = tensors::constant(tensor, data).map_err(|message| Error::input(place(), message))?;
        if tensor.name.is_empty() || constants.insert(tensor.name.clone(), constant).is_some() {
            return Err(Error::input(place(), "stands twice, or has no name"));
        }
    }
    Ok(constants)
}

/// The inputs that are no constants, which old models list among them.
fn inputs(graph: &GraphProto, constants: &HashMap<String, Constant>) -> Result<Vec<Declared>> {
    let mut seen = HashSet::new();
    let mut made = Vec::new();
    for info in graph.input.iter().filter(|info| !constants.contains_key(&info.name)) {
        if info.name.is_empty() || !seen.insert(info.name.as_str()) {
            return Err(Error::input(format!("input `{}`", info.name), "stands twice, or has no name"));
        }
        made.push(declared(info)?);
    }
    Ok(made)
}

fn declared(info: &ValueInfoProto) -> Result<Declared> {
    let place = || format!("input `{}`", info.name);
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Err(Error::input(place(), "is no tensor"));
    };
    let axis = |value: &Option<dimension::Value>| match value {
        Some(dimension::Value::DimValue(size)) => match usize::try_from(*size) {
            Ok(size) if size > 0 => Ok(Axis::Size(size)),
            // Some exporters write a size that is not known so.
            _ if matches!(size, 0 | -1) => Ok(Axis::Open),
            _ => Err(Error::input(place(), format!("has an axis of size {size}"))),
        },
        // Paddle's exporter calls every axis that is open so.
        Some(dimension::Value::DimParam(name)) if !name.is_empty() && name != "?" => Ok(Axis::Named(name.clone())),
        _ => Ok(Axis::Open),
    };
    let axes = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(|dim| axis(&dim.value)).collect()).transpose()?;
    Ok(Declared { name: info.name.clone(), data_type: tensor.elem_type, axes })
}

/// What reading of nodes needs.
pub struct Reading<'d> {
    /// Where tensors are that are not in the model's file.
    pub data: &'d mut DataFiles,
    /// Names that values have.
    pub taken: HashSet<String>,
    /// How much was copied to give it other names.
    pub copied: Copied,
}

impl Reading<'_> {
    /// Nodes of a graph with these inputs. Those that are constants go to the constants, and those of integers to their
    /// types, too.
    ///
    /// # Errors
    /// A node without outputs, an attribute that cannot be read, two values of one name.
    pub fn nodes(
        &mut self,
        protos: &[NodeProto],
        constants: &mut HashMap<String, Constant>,
        integers: &mut HashMap<String, i32>,
        inputs: &[Declared],
    ) -> Result<Vec<Node>> {
        let mut nodes = Vec::with_capacity(protos.len());
        for node in protos {
            let read = self.node(node)?;
            match constant_of(&read)? {
                Some(constant) => {
                    let name = read.outputs.first().cloned().unwrap_or_default();
                    let tensors = node.attribute.iter().filter_map(|attribute| attribute.t.as_ref());
                    integers.extend(tensors.filter_map(integers_of).map(|(_, kind)| (name.clone(), kind)));
                    let is_input = inputs.iter().any(|input| input.name == name);
                    if is_input || constants.insert(name.clone(), constant).is_some() {
                        return Err(twice(read.title(), &name));
                    }
                }
                None => nodes.push(read),
            }
        }
        Ok(nodes)
    }

    fn node(&mut self, node: &NodeProto) -> Result<Node> {
        let mut made = Node {
            name: node.name.clone(),
            op_type: node.op_type.clone(),
            domain: if is_standard(&node.domain) { String::new() } else { node.domain.clone() },
            inputs: node.input.clone(),
            outputs: node.output.clone(),
            attributes: Vec::with_capacity(node.attribute.len()),
        };
        if made.title().is_empty() {
            return Err(Error::input(format!("node of {}", node.op_type), "has no output"));
        }
        let is_choice = made.op_type == "If" && made.is_standard();
        for attribute in &node.attribute {
            let given = match attribute.g.as_ref().filter(|_| is_choice) {
                Some(graph) => Given::Body(Box::new(self.body(graph)?)),
                None => given(attribute, self.data).map_err(|message| {
                    let place = format!("node `{}`", made.title());
                    Error::input(place, format!("the attribute `{}` {message}", attribute.name))
                })?,
            };
            made.attributes.push((attribute.name.clone(), given));
        }
        Ok(made)
    }
}

/// Value of an attribute.
fn given(attribute: &AttributeProto, data: &mut DataFiles) -> std::result::Result<Given, String> {
    Ok(match AttributeType::try_from(attribute.r#type) {
        Ok(AttributeType::Int) => Given::Plain(Attribute::Int(attribute.i)),
        Ok(AttributeType::Ints) => Given::Plain(Attribute::Ints(attribute.ints.clone())),
        Ok(AttributeType::Float) => Given::Plain(Attribute::Float(attribute.f)),
        Ok(AttributeType::Floats) => Given::Plain(Attribute::Floats(attribute.floats.clone())),
        Ok(AttributeType::String) => Given::Plain(Attribute::Text(String::from_utf8_lossy(&attribute.s).into_owned())),
        Ok(AttributeType::Strings) => {
            let texts = attribute.strings.iter().map(|text| String::from_utf8_lossy(text).into_owned());
            Given::Plain(Attribute::Texts(texts.collect()))
        }
        Ok(AttributeType::Tensor) => {
            let tensor = attribute.t.as_ref().ok_or("is a tensor that is not there")?;
            Given::Tensor(tensors::constant(tensor, data)?)
        }
        Ok(AttributeType::Graph | AttributeType::Graphs) => Given::Other("a graph"),
        _ => Given::Other("neither number, text nor tensor"),
    })
}

/// The constant that a `Constant` node is; none for another node.
fn constant_of(node: &Node) -> Result<Option<Constant>> {
    if node.op_type != "Constant" || !node.is_standard() {
        return Ok(None);
    }
    let refused = || Error::input(format!("node `{}`", node.title()), "is a constant of no value that is supported");
    let (_, value) = node.attributes.first().ok_or_else(refused)?;
    let long = |values: Vec<i64>, shape| Constant::from_integers(ElementType::I64, values, shape);
    Ok(Some(match value {
        Given::Tensor(constant) => constant.clone(),
        Given::Plain(Attribute::Float(value)) => Constant::from_values(vec![*value], vec![]),
        Given::Plain(Attribute::Floats(values)) => Constant::from_values(values.clone(), vec![values.len()]),
        Given::Plain(Attribute::Int(value)) => long(vec![*value], vec![]),
        Given::Plain(Attribute::Ints(values)) => long(values.clone(), vec![values.len()]),
        Given::Plain(Attribute::Text(_) | Attribute::Texts(_)) | Given::Body(_) | Given::Other(_) => {
            return Err(refused());
        }
    }))
}
