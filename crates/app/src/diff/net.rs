//! A model file as nodes that run in parts: which of its values are constant, who makes and who reads the others.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use autoneural_base::error::{Error, Result};
use autoneural_base::files::Folder;
use autoneural_engines::back::onnx::pb::tensor_shape_proto::{Dimension, dimension};
use autoneural_engines::back::onnx::pb::{
    GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use autoneural_engines::back::onnx::{decode, encode};
use autoneural_engines::engine::Array;

/// Most bytes of constants in one part; protobuf itself ends at 2 GiB.
const MOST_CONSTANTS: u64 = 1 << 30;

/// A model file.
pub(crate) struct Net {
    /// The file.
    pub path: PathBuf,
    /// The nodes, each after those that make what it reads.
    pub nodes: Vec<NodeProto>,
    /// What has to be given.
    pub inputs: Vec<ValueInfoProto>,
    /// Names of its outputs.
    pub outputs: Vec<String>,
    /// The model without its graph.
    header: ModelProto,
    stored: HashMap<String, TensorProto>,
    makers: HashMap<String, usize>,
    readers: HashMap<String, Vec<usize>>,
    constant: HashSet<String>,
}

impl Net {
    /// Reads a model file.
    ///
    /// # Errors
    /// A file that is no ONNX model, nodes with graphs inside (control flow), nodes that read what nothing makes or
    /// what they make themselves, two makers of one value.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut header = decode(path)?;
        let graph = header.graph.take().unwrap_or_default();
        let stored: HashMap<String, TensorProto> =
            graph.initializer.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        let inputs = graph.input.into_iter().filter(|info| !stored.contains_key(&info.name)).collect::<Vec<_>>();
        let wrong = |node: &NodeProto, message: String| {
            Err(Error::input(format!("{}: node `{}`", path.display(), label(node)), message))
        };
        let mut seen: HashSet<&str> =
            stored.keys().chain(inputs.iter().map(|info| &info.name)).map(String::as_str).collect();
        for node in &graph.node {
            if node.attribute.iter().any(|one| one.g.is_some() || !one.graphs.is_empty()) {
                return wrong(node, format!("{} holds a graph of its own; control flow is not compared", node.op_type));
            }
            for made in node.output.iter().filter(|name| !name.is_empty()) {
                if !seen.insert(made) {
                    return wrong(node, format!("makes `{made}`, which something else makes, too"));
                }
            }
        }
        if let Some((node, name)) = graph.node.iter().find_map(|node| {
            node.input.iter().find(|name| !name.is_empty() && !seen.contains(name.as_str())).map(|name| (node, name))
        }) {
            return wrong(node, format!("reads `{name}`, which nothing makes"));
        }
        let outputs: Vec<String> = graph.output.iter().map(|info| info.name.clone()).collect();
        if let Some(name) = outputs.iter().find(|name| !seen.contains(name.as_str())) {
            return Err(Error::input(path.display(), format!("nothing makes its output `{name}`")));
        }
        let nodes = in_order(graph.node, path)?;
        let mut made = Net {
            path: path.to_path_buf(),
            inputs,
            outputs,
            header,
            stored,
            nodes,
            makers: HashMap::new(),
            readers: HashMap::new(),
            constant: HashSet::new(),
        };
        made.index();
        Ok(made)
    }

    fn index(&mut self) {
        self.constant = self.stored.keys().cloned().collect();
        for (at, node) in self.nodes.iter().enumerate() {
            let read = || node.input.iter().filter(|name| !name.is_empty());
            let is_constant = read().all(|name| self.constant.contains(name)) && !is_random(node);
            for name in read() {
                self.readers.entry(name.clone()).or_default().push(at);
            }
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                self.makers.insert(name.clone(), at);
                if is_constant {
                    self.constant.insert(name.clone());
                }
            }
        }
    }

    /// Whether a value follows from the file alone.
    pub(crate) fn is_constant(&self, name: &str) -> bool {
        self.constant.contains(name)
    }

    /// The node that makes a value.
    pub(crate) fn maker(&self, name: &str) -> Option<usize> {
        self.makers.get(name).copied()
    }

    /// The nodes that read a value.
    pub(crate) fn readers(&self, name: &str) -> &[usize] {
        self.readers.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a node computes something of the inputs.
    pub(crate) fn is_live(&self, at: usize) -> bool {
        self.nodes[at].output.iter().any(|name| !name.is_empty() && !self.is_constant(name))
    }

    /// Names of the values that a node reads and that follow from the inputs.
    pub(crate) fn live_inputs(&self, at: usize) -> impl Iterator<Item = &String> {
        self.nodes[at].input.iter().filter(|name| !name.is_empty() && !self.is_constant(name))
    }

    /// The stored tensor behind a constant: itself, or that of the nodes that hand it on.
    pub(crate) fn stored(&self, name: &str) -> Option<&TensorProto> {
        self.stored.get(name)
    }

    /// A model of these nodes in this order, with the constants that they read, on inputs of these types. `more` are
    /// constants that take the place of, or stand beside, those of the file.
    ///
    /// # Errors
    /// Constants that are not where the file says, or too many for one model.
    pub(crate) fn model(
        &self,
        nodes: Vec<NodeProto>,
        more: Vec<TensorProto>,
        inputs: &[(String, &Array)],
        outputs: &[String],
    ) -> Result<Vec<u8>> {
        Ok(encode(&self.proto(nodes, more, inputs, outputs)?))
    }

    /// As [`Net::model`], as messages.
    ///
    /// # Errors
    /// As for [`Net::model`].
    pub(crate) fn proto(
        &self,
        nodes: Vec<NodeProto>,
        more: Vec<TensorProto>,
        inputs: &[(String, &Array)],
        outputs: &[String],
    ) -> Result<ModelProto> {
        let mut known: HashSet<String> = inputs.iter().map(|(name, _)| name.clone()).collect();
        known.extend(more.iter().map(|tensor| tensor.name.clone()));
        known.extend(nodes.iter().flat_map(|node| node.output.iter().cloned()));
        // The constants, and the nodes that make some of them of others.
        let (mut initializer, mut before, mut bytes) = (more, BTreeSet::new(), 0);
        let mut wanted: Vec<&String> = nodes.iter().flat_map(|node| &node.input).chain(outputs).collect();
        let mut taken: HashSet<&String> = HashSet::new();
        while let Some(name) = wanted.pop() {
            if name.is_empty() || known.contains(name) || !self.constant.contains(name) || !taken.insert(name) {
                continue;
            }
            if let Some(tensor) = self.stored.get(name) {
                let inline = self.inline(tensor)?;
                bytes += inline.raw_data.len() as u64;
                if bytes > MOST_CONSTANTS {
                    let message = format!("the constants of one part take more than {MOST_CONSTANTS} bytes");
                    return Err(Error::input(self.path.display(), message));
                }
                initializer.push(inline);
            } else if let Some(&at) = self.makers.get(name) {
                before.insert(at);
                wanted.extend(&self.nodes[at].input);
            }
        }
        let node = before.into_iter().map(|at| self.nodes[at].clone()).chain(nodes).collect();
        let input = inputs.iter().map(|(name, array)| info(name, array.elements.data_type(), Some(&array.shape)));
        let output = outputs.iter().map(|name| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() });
        let graph = GraphProto {
            name: "part".into(),
            node,
            initializer,
            input: input.collect(),
            output: output.collect(),
            ..GraphProto::default()
        };
        Ok(ModelProto { graph: Some(graph), ..self.header.clone() })
    }

    /// A stored tensor with its bytes in it.
    fn inline(&self, tensor: &TensorProto) -> Result<TensorProto> {
        if tensor.external_data.is_empty() {
            return Ok(tensor.clone());
        }
        let place = || format!("{}: `{}`", self.path.display(), tensor.name);
        let entry = |key: &str| tensor.external_data.iter().find(|one| one.key == key).map(|one| one.value.as_str());
        let number = |key: &str| match entry(key).map(str::parse::<u64>) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(Error::input(place(), format!("its {key} is no number"))),
        };
        let location = entry("location").ok_or_else(|| Error::input(place(), "does not say where its data is"))?;
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = Folder::open(folder).and_then(|folder| folder.file(location)).map_err(|e| e.within(place()))?;
        let whole = file.metadata().map_err(|error| Error::io(&folder.join(location), &error))?.len();
        let length = length.unwrap_or(whole.saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > whole) || length > MOST_CONSTANTS {
            return Err(Error::input(place(), format!("is not in {location}, which has {whole} bytes")));
        }
        let path = folder.join(location);
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(offset)).map_err(|error| Error::io(&path, &error))?;
        let limited = std::io::Read::take(file, length);
        let raw_data = read_all(limited, &path)?;
        Ok(TensorProto { raw_data, external_data: vec![], data_location: 0, ..tensor.clone() })
    }
}

fn read_all(mut from: impl std::io::Read, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(|error| Error::io(path, &error))?;
    Ok(bytes)
}

/// What a node is called in messages and reports: its name, or what it makes first.
pub(crate) fn label(node: &NodeProto) -> &str {
    match node.name.is_empty() {
        true => node.output.iter().find(|name| !name.is_empty()).map(String::as_str).unwrap_or_default(),
        false => &node.name,
    }
}

/// Whether a node gives something else each time.
fn is_random(node: &NodeProto) -> bool {
    node.op_type.starts_with("Random") || ["Bernoulli", "Multinomial"].contains(&node.op_type.as_str())
}

/// A port of a model.
pub(crate) fn info(name: &str, data_type: i32, shape: Option<&[usize]>) -> ValueInfoProto {
    let dimension =
        |&size: &usize| Dimension { value: Some(dimension::Value::DimValue(size as i64)), ..Dimension::default() };
    let shape = shape.map(|shape| TensorShapeProto { dim: shape.iter().map(dimension).collect() });
    let tensor = type_proto::Tensor { elem_type: data_type, shape };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

/// Nodes in an order in which each comes after those that make what it reads; in the file's where that is one.
fn in_order(nodes: Vec<NodeProto>, path: &Path) -> Result<Vec<NodeProto>> {
    let makers: HashMap<String, usize> = nodes
        .iter()
        .enumerate()
        .flat_map(|(at, node)| node.output.iter().map(move |name| (name.clone(), at)))
        .collect();
    let mut missing: Vec<usize> = Vec::with_capacity(nodes.len());
    let mut followers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        let before: BTreeSet<usize> =
            node.input.iter().filter(|name| !name.is_empty()).filter_map(|name| makers.get(name).copied()).collect();
        missing.push(before.len());
        before.into_iter().for_each(|one| followers.entry(one).or_default().push(at));
    }
    let mut ready: BTreeSet<usize> = (0..nodes.len()).filter(|&at| missing[at] == 0).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for &next in followers.get(&at).into_iter().flatten() {
            missing[next] -= 1;
            if missing[next] == 0 {
                ready.insert(next);
            }
        }
    }
    if order.len() < nodes.len() {
        let at = (0..nodes.len()).find(|&at| missing[at] > 0).unwrap_or_default();
        let place = format!("{}: node `{}`", path.display(), label(&nodes[at]));
        return Err(Error::input(place, "reads, over other nodes, what it makes itself"));
    }
    let mut nodes: BTreeMap<usize, NodeProto> = nodes.into_iter().enumerate().collect();
    Ok(order.into_iter().filter_map(|at| nodes.remove(&at)).collect())
}
