//! What a model file says, in types of our own: read and checked, in an order in which its nodes can run.

use std::collections::HashMap;

use autoneural_core::ir::Constant;
use autoneural_core::ir::ops::Attribute;

/// Most nodes of a graph.
pub const MOST_NODES: usize = 1 << 20;

/// A model.
pub struct Model {
    /// Name of its graph.
    pub name: String,
    /// Version of the standard operator set that it was written for.
    pub opset: i64,
    /// Whether this program wrote it, which writes a change of encoding as `Identity`.
    pub is_own: bool,
    /// Its inputs, without constants that are listed among them.
    pub inputs: Vec<Declared>,
    /// Names of its outputs.
    pub outputs: Vec<String>,
    /// The nodes that outputs depend on, each behind those whose results it reads.
    pub nodes: Vec<Node>,
    /// Constants by name, those of `Constant` nodes among them.
    pub constants: HashMap<String, Constant>,
    /// Types (ONNX `TensorProto.DataType`) of those of them that are integers.
    pub integers: HashMap<String, i32>,
}

/// An input as a file declares it.
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Type of its elements (ONNX `TensorProto.DataType`).
    pub data_type: i32,
    /// Its axes; none where the file does not say how many there are.
    pub axes: Option<Vec<Axis>>,
}

/// Size of an axis, as far as a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Axis {
    /// A number.
    Size(usize),
    /// A name, which stands for the same number wherever it stands.
    Named(String),
    /// Nothing is said.
    Open,
}

/// A node.
pub struct Node {
    /// Its name; often empty.
    pub name: String,
    /// The operator.
    pub op_type: String,
    /// Domain of the operator; empty for the standard one.
    pub domain: String,
    /// Names of what it reads; empty where an input is left out.
    pub inputs: Vec<String>,
    /// Names of what it makes; empty where an output is not wanted.
    pub outputs: Vec<String>,
    /// Attributes by name.
    pub attributes: Vec<(String, Given)>,
}

/// Value of an attribute.
pub enum Given {
    /// A number, a text or several numbers.
    Plain(Attribute),
    /// A tensor.
    Tensor(Constant),
    /// One of the ways of a choice.
    Body(Box<Body>),
    /// Anything else, in a word: a graph, several tensors.
    Other(&'static str),
}

/// A graph among the attributes of a node.
pub struct Body {
    /// Its nodes, as in a model.
    pub nodes: Vec<Node>,
    /// Its constants by name.
    pub constants: HashMap<String, Constant>,
    /// Names of its outputs.
    pub outputs: Vec<String>,
    /// Names that it reads of the graphs around it.
    pub outside: Vec<String>,
}

impl Given {
    /// Whether it is this integer.
    pub fn is(&self, number: i64) -> bool {
        matches!(self, Given::Plain(Attribute::Int(given)) if *given == number)
    }
}

impl Node {
    /// The graphs among its attributes.
    pub fn bodies(&self) -> impl Iterator<Item = (&str, &Body)> {
        self.attributes.iter().filter_map(|(name, given)| match given {
            Given::Body(body) => Some((name.as_str(), &**body)),
            _ => None,
        })
    }

    /// Names of what it reads, those that only graphs among its attributes read with them.
    pub fn reads(&self) -> impl Iterator<Item = &String> {
        self.inputs.iter().chain(self.bodies().flat_map(|(_, body)| &body.outside))
    }

    /// The name by which messages speak of it.
    pub fn title(&self) -> &str {
        let made = || self.outputs.iter().find(|name| !name.is_empty()).map_or("", String::as_str);
        if self.name.is_empty() { made() } else { &self.name }
    }

    /// Whether its operator is of the standard set.
    pub fn is_standard(&self) -> bool {
        is_standard(&self.domain)
    }

    /// The operator, with its domain if it has one of its own.
    pub fn operator(&self) -> String {
        match self.is_standard() {
            true => self.op_type.clone(),
            false => format!("{}.{}", self.domain, self.op_type),
        }
    }

    /// A tensor among its attributes.
    pub fn tensor(&self, name: &str) -> Option<&Constant> {
        self.attributes.iter().find_map(|(known, given)| match given {
            Given::Tensor(constant) if known == name => Some(constant),
            _ => None,
        })
    }
}

/// Whether a domain is that of the standard operators.
pub fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}
