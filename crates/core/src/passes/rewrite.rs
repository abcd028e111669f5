//! Rebuilding a graph node by node: what passes have in common.

use std::collections::BTreeMap;

use crate::ir::{Builder, Constant, Graph, Node, Op, Origin, ValueId, ops};
use autoneural_base::error::Result;

/// A new graph in the making, with a map from the old graph's values.
pub struct Rewrite<'a> {
    old: &'a Graph,
    /// The new graph.
    pub new: Builder,
    map: Vec<Option<ValueId>>,
}

impl<'a> Rewrite<'a> {
    /// Starts with the inputs of `old`. Constants are copied when they are first read.
    ///
    /// # Errors
    /// Two inputs have one name: the old graph is not valid.
    pub fn new(old: &'a Graph) -> Result<Self> {
        let mut made = Rewrite { old, new: Builder::new(old.name.clone()), map: vec![None; old.values().count()] };
        for &id in old.inputs() {
            let value = old.value(id);
            made.map[id.index()] = Some(made.new.input(value.name.clone(), value.shape.clone(), value.element)?);
        }
        Ok(made)
    }

    /// The new value that stands for an old one. A constant is copied if it has not been.
    ///
    /// # Errors
    /// The name of a constant is taken in the new graph.
    pub fn get(&mut self, id: ValueId) -> Result<ValueId> {
        if let Some(known) = self.map[id.index()] {
            return Ok(known);
        }
        let value = self.old.value(id);
        let Origin::Constant(constant) = &value.origin else {
            unreachable!("nodes are visited in an order in which their inputs are made; `{}` was not", value.name)
        };
        let made = self.new.constant(value.name.clone(), constant.clone())?;
        self.map[id.index()] = Some(made);
        Ok(made)
    }

    /// The new values for a node's inputs.
    ///
    /// # Errors
    /// As for [`Rewrite::get`].
    pub fn inputs(&mut self, node: &Node) -> Result<Vec<ValueId>> {
        node.inputs.iter().map(|&id| self.get(id)).collect()
    }

    /// Makes `new` the value that stands for `old` in the new graph.
    pub fn set(&mut self, old: ValueId, new: ValueId) {
        self.map[old.index()] = Some(new);
    }

    /// Takes these constants, by name, in place of the old graph's own. Types and shapes must stay.
    ///
    /// # Errors
    /// As for [`Rewrite::get`].
    pub(crate) fn replace_constants(&mut self, constants: &BTreeMap<String, Constant>) -> Result<()> {
        for (id, value) in self.old.values() {
            if let (Some(_), Some(constant)) = (value.constant(), constants.get(&value.name)) {
                let made = self.new.constant(value.name.clone(), constant.clone())?;
                self.set(id, made);
            }
        }
        Ok(())
    }

    /// A name that no value has, neither in the old graph nor in the new one: this one, or with a number behind it.
    pub fn free(&self, name: String) -> String {
        let is_free = |name: &str| self.old.find(name).is_none() && self.new.graph().find(name).is_none();
        let numbered = (2..).map(|number: usize| format!("{name}.{number}"));
        std::iter::once(name.clone()).chain(numbered).find(|name| is_free(name)).unwrap_or(name)
    }

    /// Copies a node, with the new values of its inputs.
    ///
    /// # Errors
    /// As for [`Rewrite::get`] and [`Builder::node_of`].
    pub fn copy(&mut self, node: &Node) -> Result<()> {
        let inputs = self.inputs(node)?;
        let names = node.outputs.iter().map(|&id| self.old.value(id).name.clone()).collect();
        let outputs = self.new.node_of(names, node.op.clone(), &inputs)?;
        for (&old, new) in node.outputs.iter().zip(outputs) {
            self.set(old, new);
        }
        Ok(())
    }

    /// The new graph, with the old one's outputs.
    ///
    /// # Errors
    /// As for [`Rewrite::get`].
    pub fn finish(mut self) -> Result<Graph> {
        let outputs = self.old.outputs().iter().map(|&id| self.get(id)).collect::<Result<_>>()?;
        Ok(self.new.finish(outputs))
    }
}

/// Adds an operator that works along the last axis, between transposes that bring `axis` of its first input there and
/// back. The result is named `name`, and the node of the operator `name.what`.
///
/// # Errors
/// As for [`Builder::node`].
pub(crate) fn on_last_axis(
    b: &mut Builder,
    name: &str,
    what: &str,
    op: impl Into<Op>,
    axis: usize,
    inputs: &[ValueId],
) -> Result<ValueId> {
    let mut perm: Vec<usize> = (0..b.shape(inputs[0]).len()).filter(|&other| other != axis).collect();
    perm.push(axis);
    let mut back = vec![0; perm.len()];
    perm.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    let turned = b.node(format!("{name}.in"), ops::Transpose { perm }, &[inputs[0]])?;
    let made = b.node(format!("{name}.{what}"), op, &[&[turned], &inputs[1..]].concat())?;
    b.node(name, ops::Transpose { perm: back }, &[made])
}

/// Constant indices along an axis of this size, counted from the front; `None` where one is out of bounds, or no i32.
pub(crate) fn from_front(indices: &Constant, size: usize) -> Option<Vec<i64>> {
    let size = size as i64;
    let count = |index: i64| if index < 0 { index.saturating_add(size) } else { index };
    let made: Vec<i64> = indices.to_i64().into_iter().map(count).collect();
    let fits = |index: &i64| (0..size).contains(index) && i32::try_from(*index).is_ok();
    made.iter().all(fits).then_some(made)
}

/// Who makes and who reads each value of a graph.
pub struct Links {
    /// Position of the node that makes the value.
    pub maker: Vec<Option<usize>>,
    /// How often the value is read; being a graph output counts as one read.
    pub reads: Vec<usize>,
}

impl Links {
    /// Links of a graph.
    pub fn new(graph: &Graph) -> Self {
        let count = graph.values().count();
        let mut links = Links { maker: vec![None; count], reads: vec![0; count] };
        for (position, node) in graph.nodes().iter().enumerate() {
            node.outputs.iter().for_each(|id| links.maker[id.index()] = Some(position));
            node.inputs.iter().for_each(|id| links.reads[id.index()] += 1);
        }
        graph.outputs().iter().for_each(|id| links.reads[id.index()] += 1);
        links
    }
}
