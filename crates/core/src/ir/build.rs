//! Building graphs: every node added gets its output shapes inferred at once.

use std::collections::HashMap;

use super::constant::Constant;
use super::graph::{Graph, Node, Origin, Value, ValueId};
use super::ops::Op;
use super::types::{ElementType, Shape};
use autoneural_base::error::{Error, Result};

/// Most elements of one value: 4 GiB as f32. Far beyond what fits an NPU; what comes after may multiply and allocate.
const MOST_ELEMENTS: usize = 1 << 30;

/// Builds a graph node by node. Names are checked to be unique, shapes are inferred as nodes are added.
///
/// ```
/// use autoneural_core::ir::{Builder, Constant, ElementType, ops, validate};
///
/// # fn main() -> Result<(), autoneural_base::error::Error> {
/// let mut b = Builder::new("linear");
/// let x = b.input("x", vec![1, 3], ElementType::F32)?;
/// let w = b.constant("w", Constant::from_values(vec![1.0; 6], vec![3, 2]))?;
/// let y = b.node("y", ops::MatMul, &[x, w])?;
/// assert!(b.node("wrong", ops::MatMul, &[y, y]).is_err()); // [1,2] x [1,2]
/// let graph = b.finish(vec![y]);
/// validate(&graph)?;
/// assert!(graph.to_string().contains("y: f32[1,2] = MatMul(x, w)"));
/// # Ok(())
/// # }
/// ```
pub struct Builder {
    graph: Graph,
    names: HashMap<String, ValueId>,
}

impl Builder {
    /// An empty graph of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Builder { graph: Graph { name: name.into(), ..Graph::default() }, names: HashMap::new() }
    }

    fn add_value(&mut self, value: Value) -> Result<ValueId> {
        let elements = value.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if elements.is_none_or(|elements| elements == 0 || elements > MOST_ELEMENTS) {
            let message = format!("would have the shape {:?}; a value has 1 to {MOST_ELEMENTS} elements", value.shape);
            return Err(Error::input(format!("{}: {}", self.graph.name, value.name), message)
                .help("a dimension in the model definition is impossible"));
        }
        let id = ValueId(self.graph.values.len() as u32);
        if self.names.insert(value.name.clone(), id).is_some() {
            return Err(Error::internal(&self.graph.name, format!("two values are named `{}`", value.name)));
        }
        self.graph.values.push(value);
        Ok(id)
    }

    /// Adds a graph input.
    pub fn input(&mut self, name: impl Into<String>, shape: Shape, element: ElementType) -> Result<ValueId> {
        let id = self.add_value(Value { name: name.into(), shape, element, origin: Origin::Input })?;
        self.graph.inputs.push(id);
        Ok(id)
    }

    /// Adds a constant.
    pub fn constant(&mut self, name: impl Into<String>, constant: Constant) -> Result<ValueId> {
        let shape = constant.shape().clone();
        let element = constant.element_type();
        self.add_value(Value { name: name.into(), shape, element, origin: Origin::Constant(constant) })
    }

    /// Adds a node with one output, which gets the node's name.
    pub fn node(&mut self, name: impl Into<String>, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId> {
        Ok(self.node_outputs(name, op, inputs)?[0])
    }

    /// Adds a node with any number of outputs: the first gets the node's name, the others `name.1`, `name.2`, ….
    pub fn node_outputs(
        &mut self,
        name: impl Into<String>,
        op: impl Into<Op>,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>> {
        let name = name.into();
        self.add_node(name.clone(), op.into(), inputs, |index| Some(Self::output_name(&name, index)))
    }

    /// What an output of a node is called that has no name of its own.
    pub fn output_name(node: &str, index: usize) -> String {
        match index {
            0 => node.to_string(),
            _ => format!("{node}.{index}"),
        }
    }

    /// Adds a node whose outputs have these names; the node gets that of the first.
    ///
    /// # Errors
    /// As for [`Builder::node`], and another number of outputs.
    pub fn node_of(&mut self, outputs: Vec<String>, op: impl Into<Op>, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        let name = outputs.first().cloned().unwrap_or_default();
        let made = self.add_node(name.clone(), op.into(), inputs, |index| outputs.get(index).cloned())?;
        match made.len() == outputs.len() {
            true => Ok(made),
            false => Err(Error::input(name, format!("has {} outputs, it makes {}", outputs.len(), made.len()))),
        }
    }

    fn add_node(
        &mut self,
        name: String,
        op: Op,
        inputs: &[ValueId],
        output: impl Fn(usize) -> Option<String>,
    ) -> Result<Vec<ValueId>> {
        let types: Vec<_> =
            inputs.iter().map(|&id| (&self.graph.value(id).shape, self.graph.value(id).element)).collect();
        let made = op.infer(&types).map_err(|message| Error::input(format!("{}: {name}", self.graph.name), message))?;
        let mut outputs = Vec::with_capacity(made.len());
        for (index, (shape, element)) in made.into_iter().enumerate() {
            let missing = || Error::input(format!("{}: {name}", self.graph.name), format!("makes output {index}, too"));
            let name = output(index).ok_or_else(missing)?;
            outputs.push(self.add_value(Value { name, shape, element, origin: Origin::Node })?);
        }
        self.graph.nodes.push(Node { name, op, inputs: inputs.to_vec(), outputs: outputs.clone() });
        Ok(outputs)
    }

    /// Shape of a value built so far.
    pub fn shape(&self, id: ValueId) -> &Shape {
        &self.graph.value(id).shape
    }

    /// The graph built so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Ends the graph with these outputs.
    pub fn finish(mut self, outputs: Vec<ValueId>) -> Graph {
        self.graph.outputs = outputs;
        self.graph
    }
}
