//! The graph: an arena of values, and nodes in an order in which they can run.

use super::constant::Constant;
use super::ops::Op;
use super::types::{ElementType, Shape};

/// Handle of a value in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ValueId(pub(super) u32);

impl ValueId {
    /// Position in the arena.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Given from outside.
    Input,
    /// Made by a node.
    Node,
    /// Known before the graph runs.
    Constant(Constant),
}

/// A tensor in the graph.
#[derive(Debug, Clone)]
pub struct Value {
    /// Stable, unique path such as `blocks.3.1.attn.key.proj`.
    pub name: String,
    /// Sizes of the axes.
    pub shape: Shape,
    /// Element type.
    pub element: ElementType,
    /// Where it comes from.
    pub origin: Origin,
}

impl Value {
    /// The constant, if the value is one.
    pub fn constant(&self) -> Option<&Constant> {
        match &self.origin {
            Origin::Constant(constant) => Some(constant),
            _ => None,
        }
    }
}

/// An operator applied to values.
#[derive(Debug, Clone)]
pub struct Node {
    /// Stable, unique path; the first output has the same name.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// Values read, in the operator's order.
    pub inputs: Vec<ValueId>,
    /// Values made, in the operator's order.
    pub outputs: Vec<ValueId>,
}

/// A graph: nodes in an order in which they can run.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Name of the graph, the partition's name from partitioning on.
    pub name: String,
    pub(super) values: Vec<Value>,
    pub(super) nodes: Vec<Node>,
    pub(super) inputs: Vec<ValueId>,
    pub(super) outputs: Vec<ValueId>,
}

impl Graph {
    /// The value behind a handle.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// All values with their handles.
    pub fn values(&self) -> impl Iterator<Item = (ValueId, &Value)> {
        self.values.iter().enumerate().map(|(index, value)| (ValueId(index as u32), value))
    }

    /// All nodes, in an order in which they can run.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Values given from outside.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// Values given to the outside.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// Handle of the value with this name.
    pub fn find(&self, name: &str) -> Option<ValueId> {
        self.values().find(|(_, value)| value.name == name).map(|(id, _)| id)
    }
}
