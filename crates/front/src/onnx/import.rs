//! From a model to a graph, node by node.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::finite::refuse_non_finite;
use super::fold::fold;
use super::making::{Known, Making, Told};
use super::model::{Given, Node};
use super::pairs::{Taken, taken_off};
use super::patterns::recognize;
use super::shapes::{StatedShape, settle};
use super::unshare::unshared;
use super::unsupported::Unsupported;
use super::{inputs, read, spell, tensors};
use autoneural_base::error::{Error, Kind, Result};
use autoneural_core::ir::ops::OpKind;
use autoneural_core::ir::{Constant, ElementType, Graph, validate};
use autoneural_core::passes::prune;
use autoneural_core::quantize::Stated;
use autoneural_onnx::{AttributeProto, DataFiles, GraphProto, ModelProto, Outside, TensorProto};

/// A model that was read.
pub struct Imported {
    /// Its graph, as the file has it.
    pub graph: Graph,
    /// The same with operators in place of what spells them out.
    pub recognized: Graph,
    /// How many operators were found spelled out, by name.
    pub found: BTreeMap<&'static str, usize>,
    /// What was chosen without being asked, in sentences.
    pub notes: Vec<String>,
    /// What it says of its values, if it is quantized.
    pub stated: Stated,
    /// Version of the standard operator set that it was written for.
    pub opset: i64,
    /// The files that it was read from: the model itself first.
    pub files: Vec<PathBuf>,
}

/// Reads a model file, with views into the data files beside it. `stated` are shapes of inputs.
///
/// # Errors
/// A file that is no ONNX model, that breaks the rules of the format, or whose shapes are not known; and all operators
/// and forms of operators that are not supported, with nodes and what to do instead.
pub fn import(path: &Path, stated: &[StatedShape]) -> Result<Imported> {
    let proto = autoneural_onnx::read(path)?;
    let mut data = DataFiles::beside(path.parent().unwrap_or(Path::new("")));
    let made = import_model(&proto, &mut data, stated).map_err(|error| error.within(path.display()))?;
    let files = std::iter::once(path.to_path_buf()).chain(data_files(&proto, path)).collect();
    Ok(Imported { files, ..made })
}

/// The data files that tensors of a model are in, each once.
fn data_files(proto: &ModelProto, path: &Path) -> Vec<PathBuf> {
    let mut tensors: Vec<&TensorProto> = Vec::new();
    let mut graphs: Vec<&GraphProto> = proto.graph.iter().collect();
    let mut attributes: Vec<&AttributeProto> =
        proto.functions.iter().flat_map(|one| &one.node).flat_map(|node| &node.attribute).collect();
    loop {
        while let Some(graph) = graphs.pop() {
            tensors.extend(&graph.initializer);
            attributes.extend(graph.node.iter().flat_map(|node| &node.attribute));
        }
        let Some(one) = attributes.pop() else { break };
        tensors.extend(&one.t);
        graphs.extend(one.g.iter().chain(&one.graphs));
    }
    let place = |tensor: &&TensorProto| Some(Outside::of(tensor).ok()??.location.to_string());
    let places: BTreeSet<String> = tensors.iter().filter_map(place).collect();
    places.iter().map(|location| path.with_file_name(location)).collect()
}

/// Reads a model in memory.
pub fn import_model(proto: &ModelProto, data: &mut DataFiles, stated: &[StatedShape]) -> Result<Imported> {
    build(proto, data, stated).map_err(|error| match error.kind {
        // A promise of graphs that a file breaks is no defect of the program.
        Kind::Internal => Error::input(error.place, error.message),
        _ => error,
    })
}

fn build(proto: &ModelProto, data: &mut DataFiles, stated: &[StatedShape]) -> Result<Imported> {
    let (model, Taken { stated: of_values, said: mut notes }) = taken_off(read::model(proto, data)?)?;
    let shapes = settle(&model.inputs, stated, &mut notes)?;
    let elements = inputs::elements(&model, &mut notes).map_err(|(place, message)| Error::input(place, message))?;
    let mut names: Vec<&str> = model.inputs.iter().map(|input| input.name.as_str()).collect();
    gather_names(&model.nodes, &model.constants, &mut names);
    let mut making = Making::new(&model, names.into_iter());
    for ((input, shape), element) in model.inputs.iter().zip(shapes).zip(elements) {
        let id = making.b.input(input.name.clone(), shape, element)?;
        match tensors::element_type(input.data_type) {
            Some(ElementType::Bool) => making.mark_truth(id),
            Some(ElementType::I32 | ElementType::I64) if element.is_real() => making.mark_whole(id),
            Some(ElementType::I32 | ElementType::I64) => making.mark_integers(id, &model, &input.name),
            _ => {}
        }
        making.know(&input.name, Known::Value(id));
    }
    for (name, constant) in &model.constants {
        making.know(name, Known::Constant(constant.clone()));
    }
    let mut found = Unsupported::default();
    Walk::new(&model.nodes, &model.outputs).nodes(&mut making, &mut found);
    if let Some(error) = found.error(model.opset) {
        return Err(error);
    }
    let graph =
        making.finish(&model.outputs).map_err(|(name, message)| Error::input(format!("output `{name}`"), message))?;
    let graph = prune(&graph)?;
    validate(&graph)?;
    let (recognized, found) = recognize(&graph)?;
    let recognized = unshared(&recognized)?;
    refuse_non_finite(&recognized)?;
    Ok(Imported { graph, recognized, found, notes, stated: of_values, opset: model.opset, files: vec![] })
}

/// Names of what nodes make and of constants, those of graphs among their attributes with them.
fn gather_names<'m>(nodes: &'m [Node], constants: &'m HashMap<String, Constant>, names: &mut Vec<&'m str>) {
    names.extend(constants.keys().map(String::as_str));
    for node in nodes {
        names.extend(node.outputs.iter().map(String::as_str));
        node.bodies().for_each(|(_, body)| gather_names(&body.nodes, &body.constants, names));
    }
}

/// How often each name is read by nodes and outputs, and by which node last.
fn readers<'m>(nodes: &'m [Node], outputs: &'m [String]) -> HashMap<&'m str, (usize, Option<usize>)> {
    let mut made: HashMap<&str, (usize, Option<usize>)> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        for name in node.reads() {
            let entry = made.entry(name).or_default();
            *entry = (entry.0 + 1, Some(at));
        }
    }
    for name in outputs {
        made.entry(name).or_default().0 += 1;
    }
    made
}

/// The way through the nodes of a graph.
struct Walk<'m> {
    nodes: &'m [Node],
    readers: HashMap<&'m str, (usize, Option<usize>)>,
    /// Nodes that went into one before them.
    done: HashSet<usize>,
}

impl<'m> Walk<'m> {
    fn new(nodes: &'m [Node], outputs: &'m [String]) -> Self {
        Walk { nodes, readers: readers(nodes, outputs), done: HashSet::new() }
    }

    /// Reads all nodes. Where one cannot be read, what depends on it is left out, and the way goes on.
    fn nodes(mut self, making: &mut Making<'m>, found: &mut Unsupported) {
        for (at, node) in self.nodes.iter().enumerate() {
            if self.done.contains(&at) {
                continue;
            }
            let made = match (is_known(node), node.bodies().next()) {
                (true, Some(_)) => choice(making, node, found),
                (true, None) => self.node(making, node),
                (false, _) => {
                    found.operator(node.operator(), node.title());
                    Ok(None)
                }
            };
            let made = made.unwrap_or_else(|message| {
                found.form(&node.operator(), node.title(), message);
                None
            });
            let mut made = made.unwrap_or_default().into_iter();
            for name in &node.outputs {
                let known = made.next().unwrap_or(Known::Failed);
                if !name.is_empty() {
                    making.know(name, known);
                }
            }
        }
    }

    /// What a node makes; none where something that it reads failed.
    fn node(&mut self, making: &mut Making<'m>, node: &'m Node) -> Result<Option<Vec<Known>>, String> {
        if let Some((name, _)) = node.attributes.iter().find(|(_, given)| matches!(given, Given::Other("a graph"))) {
            return Err(format!("has a graph of its own as the attribute `{name}`"));
        }
        let is_unnamed = node.outputs.first().is_none_or(String::is_empty);
        if is_unnamed && !(spell::may_lack_its_first(&node.op_type) && node.outputs.iter().any(|name| !name.is_empty()))
        {
            return Err("has no first output".into());
        }
        let Some(told) = making.told(node)? else { return Ok(None) };
        if let Some(folded) = folded(making, &told)? {
            return Ok(Some(folded));
        }
        if let Some(made) = self.with_the_next(making, &told)? {
            return Ok(Some(made));
        }
        if let Some(spell) = spell::of(&node.op_type)
            && let Some(made) = spell(making, &told)?
        {
            return Ok(Some(made));
        }
        plain(making, &told).map(Some)
    }

    /// A convolution with the normalization that alone reads it. Its own result is nobody's then.
    fn with_the_next(&mut self, making: &mut Making<'m>, told: &Told<'m>) -> Result<Option<Vec<Known>>, String> {
        if !matches!(told.node.op_type.as_str(), "Conv" | "ConvTranspose") {
            return Ok(None);
        }
        let Some(&(1, Some(at))) = self.readers.get(told.name()) else { return Ok(None) };
        let next = &self.nodes[at];
        if next.op_type != "BatchNormalization" || !next.is_standard() || next.inputs[0] != told.name() {
            return Ok(None);
        }
        let Some(norm) = making.told_without(next, Some(0))? else { return Ok(None) };
        let Some(fused) = spell::fuse(making, told, &norm)? else { return Ok(None) };
        self.done.insert(at);
        making.know(norm.name(), fused);
        Ok(Some(vec![Known::Failed]))
    }
}

/// One of two graphs, by a condition that is known when the model is read.
fn choice<'m>(making: &mut Making<'m>, node: &'m Node, found: &mut Unsupported) -> Result<Option<Vec<Known>>, String> {
    let Some(told) = making.told(node)? else { return Ok(None) };
    let condition = told.constant(0).ok_or("depends on a condition that is computed of the data")?;
    let &[truth] = condition.to_i64().as_slice() else { return Err("has a condition that is not one truth".into()) };
    let wanted = if truth != 0 { "then_branch" } else { "else_branch" };
    let (_, body) = node.bodies().find(|(name, _)| *name == wanted).ok_or_else(|| format!("has no `{wanted}`"))?;
    for (name, constant) in &body.constants {
        making.know(name, Known::Constant(constant.clone()));
    }
    Walk::new(&body.nodes, &body.outputs).nodes(making, found);
    let made = body.outputs.iter().map(|name| making.known(name).cloned().unwrap_or(Known::Failed)).collect();
    Ok(Some(made))
}

/// Whether an operator is known at all: one of the IR, one that is spelled in others, one that constants fold.
fn is_known(node: &Node) -> bool {
    let op = node.op_type.as_str();
    node.is_standard()
        && (op == "If" || OpKind::of_onnx(op).is_some() || spell::is_spelled(op) || super::fold::is_folded(op))
}

/// What a node makes that reads constants only.
fn folded<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Result<Option<Vec<Known>>, String> {
    let inputs = &told.onnx.inputs;
    let constants: Vec<_> = inputs.iter().map(|input| input.as_ref().and_then(|one| one.constant.clone())).collect();
    let all = inputs.iter().zip(&constants).all(|(input, constant)| input.is_some() == constant.is_some());
    if inputs.is_empty() || !all {
        return Ok(None);
    }
    if let Some(made) = fold(&told.onnx, &constants) {
        let made = made?;
        making.count(&made)?;
        return Ok(Some(made.into_iter().map(Known::Constant).collect()));
    }
    Ok(None)
}

/// Operators that do the same to integers as to real numbers.
const MIXES: [&str; 12] =
    ["Abs", "Add", "ArgMax", "ArgMin", "Max", "Min", "Mul", "Neg", "ReduceMax", "ReduceMin", "ReduceSum", "Sub"];

/// A node that is one of the IR.
fn plain<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Result<Vec<Known>, String> {
    let Some(kind) = OpKind::of_onnx(&told.node.op_type) else {
        return Err("depends on computed values; it is supported where all that it reads is constant".into());
    };
    let read = (kind.from_onnx)(&told.onnx)?;
    let constants = read.inputs.iter().map(|&at| told.constant(at).cloned()).collect::<Option<Vec<_>>>();
    if let Some(made) = constants.map(|constants| making.folded(&read.operator, &constants)).transpose()?.flatten() {
        return Ok(made.into_iter().map(Known::Constant).collect());
    }
    let mixes = MIXES.contains(&told.onnx.op_type.as_str());
    let joins = told.onnx.op_type == "Concat";
    let is_any_real = told.onnx.inputs.iter().flatten().any(|one| one.element.is_real());
    let is_computed = told.onnx.inputs.iter().flatten().any(|one| one.constant.is_none());
    let input = |&at: &usize| match () {
        // Integers that are computed with are taken as real numbers.
        () if mixes && (is_any_real || is_computed) || joins && is_any_real => spell::number(making, told, at),
        // Indices have 32 bits.
        () if joins && is_computed => spell::index(making, told, at),
        () => making.input(told, at),
    };
    let inputs = read.inputs.iter().map(input).collect::<Result<Vec<_>, _>>()?;
    let outputs = told.node.outputs[..told.onnx.outputs].to_vec();
    if let [name] = outputs.as_slice() {
        return Ok(vec![Known::Value(making.last(name, read.operator, &inputs)?)]);
    }
    let made = making.b.node_of(outputs, read.operator, &inputs).map_err(|error| error.message)?;
    Ok(made.into_iter().map(Known::Value).collect())
}
