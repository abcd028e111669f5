//! The graph in the making: what is known under each name, and new nodes under names that nobody else has.

use std::collections::{HashMap, HashSet};

use super::lookups::{Lookups, rows};
use super::model::{Given, Model, Node};
use super::numbers::Numbers;
use super::pooled::pooled;
use autoneural_core::ir::ops::{OnnxInput, OnnxNode};
use autoneural_core::ir::{Builder, Constant, Graph, Op, Shape, ValueId, ops};
use autoneural_core::passes::worth_folding;

/// Most elements that all constants together have that are computed when a model is read.
const MOST_MADE: usize = 1 << 26;

/// What is known under a name.
#[derive(Clone)]
pub enum Known {
    /// A value of the graph.
    Value(ValueId),
    /// A constant, which becomes a value where a node reads it.
    Constant(Constant),
    /// It could not be made; why is told already.
    Failed,
}

/// A node that is being read, with what its inputs are.
pub struct Told<'m> {
    /// The node.
    pub node: &'m Node,
    /// The same without names, as operators are asked.
    pub onnx: OnnxNode,
}

impl<'m> Told<'m> {
    /// Name of the first output, which is that of the node in the graph.
    pub fn name(&self) -> &'m str {
        self.node.outputs.first().map_or("", String::as_str)
    }

    /// The constant at an input.
    pub fn constant(&self, at: usize) -> Option<&Constant> {
        self.onnx.inputs.get(at)?.as_ref()?.constant.as_ref()
    }

    /// The number at an input that is a constant of one element.
    pub fn number(&self, at: usize) -> Option<f32> {
        let constant = self.constant(at).filter(|one| one.shape().iter().product::<usize>() == 1)?;
        Some(constant.to_f32()[0])
    }

    /// Shape of an input.
    ///
    /// # Errors
    /// The input is not there.
    pub fn shape(&self, at: usize) -> Result<&Shape, String> {
        Ok(&self.onnx.input(at)?.shape)
    }
}

/// The graph in the making.
pub struct Making<'m> {
    /// The graph.
    pub b: Builder,
    known: HashMap<&'m str, Known>,
    numbers: Numbers,
    lookups: Lookups,
    /// Names that values of the graph have or will have.
    taken: HashSet<String>,
    opset: i64,
    is_own: bool,
    pooled: HashMap<String, Vec<usize>>,
    made: usize,
}

impl<'m> Making<'m> {
    /// An empty graph; `names` are those that the file gives to values.
    pub fn new(model: &Model, names: impl Iterator<Item = &'m str>) -> Self {
        let taken = names.map(ToString::to_string).collect();
        let (b, opset, is_own) = (Builder::new(model.name.as_str()), model.opset, model.is_own);
        Making {
            b,
            known: HashMap::new(),
            numbers: Numbers::default(),
            lookups: Lookups::default(),
            taken,
            opset,
            is_own,
            pooled: pooled(&model.nodes, &model.outputs),
            made: 0,
        }
    }

    /// Whether this program wrote the model ([`Model::is_own`]).
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Where only pools of the largest read a value: the smallest of their kernels along each axis of images.
    pub fn pooled(&self, name: &str) -> Option<&[usize]> {
        self.pooled.get(name).map(Vec::as_slice)
    }

    /// Says that a value is 0 or 1 everywhere: it stands for a truth.
    pub fn mark_truth(&mut self, id: ValueId) {
        self.numbers.truth(id);
    }

    /// Says that a value has no fractions.
    pub fn mark_whole(&mut self, id: ValueId) {
        self.numbers.whole(id);
    }

    /// Whether a value is 0 or 1 everywhere.
    pub fn is_truth(&mut self, id: ValueId) -> bool {
        self.numbers.is_truth(self.b.graph(), id)
    }

    /// Whether a value has no fractions.
    pub fn is_whole(&mut self, id: ValueId) -> bool {
        self.numbers.is_whole(self.b.graph(), id)
    }

    /// What is known under a name.
    pub fn known(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    /// Says what is known under a name from now on.
    pub fn know(&mut self, name: &'m str, known: Known) {
        self.known.insert(name, known);
    }

    /// Counts the elements of constants that were computed.
    ///
    /// # Errors
    /// They are too many.
    pub fn count(&mut self, made: &[Constant]) -> Result<(), String> {
        self.made += made.iter().map(|constant| constant.shape().iter().product::<usize>()).sum::<usize>();
        match self.made <= MOST_MADE {
            true => Ok(()),
            false => {
                Err(format!("is computed when the model is read, which makes more than {MOST_MADE} elements in all"))
            }
        }
    }

    /// A node with what is known of its inputs; none if one of them failed.
    ///
    /// # Errors
    /// An attribute of a kind that no operator has.
    pub fn told(&self, node: &'m Node) -> Result<Option<Told<'m>>, String> {
        self.told_without(node, None)
    }

    /// The same as if one of the inputs, which is not made yet, were left out.
    ///
    /// # Errors
    /// As for [`Making::told`].
    pub fn told_without(&self, node: &'m Node, without: Option<usize>) -> Result<Option<Told<'m>>, String> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for (at, name) in node.inputs.iter().enumerate() {
            inputs.push(match self.known.get(name.as_str()) {
                _ if name.is_empty() || without == Some(at) => None,
                Some(Known::Failed) => return Ok(None),
                Some(Known::Constant(constant)) => Some(described(constant)),
                Some(Known::Value(id)) => {
                    let value = self.b.graph().value(*id);
                    let constant = value.constant().cloned();
                    Some(OnnxInput { shape: value.shape.clone(), element: value.element, constant })
                }
                None => return Err(format!("reads `{name}`, which is not made")),
            });
        }
        // Optional inputs that are left out at the end are none.
        while inputs.last().is_some_and(Option::is_none) {
            inputs.pop();
        }
        let attributes = node.attributes.iter().filter_map(|(name, given)| match given {
            Given::Plain(value) => Some(Ok((name.clone(), value.clone()))),
            Given::Tensor(_) | Given::Body(_) => None,
            Given::Other(kind) => {
                Some(Err(format!("has the attribute `{name}` of a kind that is not supported: {kind}")))
            }
        });
        let attributes = attributes.collect::<Result<_, _>>()?;
        let outputs = node.outputs.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        let onnx = OnnxNode { op_type: node.op_type.clone(), opset: self.opset, attributes, inputs, outputs };
        Ok(Some(Told { node, onnx }))
    }

    /// The value at an input of a node.
    ///
    /// # Errors
    /// The input is left out, or its constant cannot be of a graph.
    pub fn input(&mut self, told: &Told<'m>, at: usize) -> Result<ValueId, String> {
        match told.node.inputs.get(at) {
            Some(name) if !name.is_empty() => self.value(name),
            _ => Err(format!("has no input {at}")),
        }
    }

    /// The value of a name; a constant becomes one.
    ///
    /// # Errors
    /// It cannot be of a graph.
    pub fn value(&mut self, name: &'m str) -> Result<ValueId, String> {
        let constant = match self.known.get(name) {
            Some(Known::Value(id)) => return Ok(*id),
            Some(Known::Constant(constant)) => constant.clone(),
            _ => return Err(format!("reads `{name}`, which is not made")),
        };
        let id = self.b.constant(name, constant).map_err(|error| error.message)?;
        self.known.insert(name, Known::Value(id));
        Ok(id)
    }

    /// A name that no value has: this one, or with a number behind it.
    pub fn fresh(&mut self, name: String) -> String {
        if self.taken.insert(name.clone()) {
            return name;
        }
        let mut number = 2usize;
        loop {
            let made = format!("{name}.{number}");
            if self.taken.insert(made.clone()) {
                return made;
            }
            number += 1;
        }
    }

    /// A constant beside those of the file.
    ///
    /// # Errors
    /// It cannot be of a graph.
    pub fn constant(&mut self, name: String, constant: Constant) -> Result<ValueId, String> {
        let name = self.fresh(name);
        self.b.constant(name, constant).map_err(|error| error.message)
    }

    /// What a constant of the file became.
    ///
    /// # Errors
    /// As for [`Making::constant`].
    pub fn changed(&mut self, name: &str, constant: Constant) -> Result<ValueId, String> {
        self.constant(format!("{name}.folded"), constant)
    }

    /// A constant of these numbers.
    ///
    /// # Errors
    /// As for [`Making::constant`].
    pub fn numbers(&mut self, name: String, values: Vec<f32>, shape: Shape) -> Result<ValueId, String> {
        self.constant(name, Constant::from_values(values, shape))
    }

    /// A constant that is computed for a node, by an operator that makes much of little.
    ///
    /// # Errors
    /// As for [`Making::constant`], and more elements than are computed in all.
    pub fn computed(&mut self, name: String, constant: Constant) -> Result<ValueId, String> {
        self.count(std::slice::from_ref(&constant))?;
        self.constant(name, constant)
    }

    /// A node of one output beside those of the file.
    ///
    /// # Errors
    /// Inputs that the operator does not take.
    pub fn step(&mut self, name: String, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, String> {
        let name = self.fresh(name);
        self.last(&name, op, inputs)
    }

    /// The node whose output is the first one of the file's node; a constant if all that it reads is.
    ///
    /// # Errors
    /// Inputs that the operator does not take.
    pub fn last(&mut self, name: &str, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, String> {
        let op = op.into();
        let constants =
            inputs.iter().map(|&id| self.b.graph().value(id).constant().cloned()).collect::<Option<Vec<_>>>();
        if let Some(constants) = constants
            && let Some([made]) = self.folded(&op, &constants)?.as_deref()
        {
            return self.b.constant(name, made.clone()).map_err(|error| error.message);
        }
        if let Some((table, integers, shape)) = self.lookups.through(self.b.graph(), &op, inputs)? {
            return self.looked_up(name, table, integers, shape);
        }
        self.b.node(name, op, inputs).map_err(|error| error.message)
    }

    /// What an operator makes of constants; none where it makes much of little, and in models of this program, which
    /// come back as they were.
    ///
    /// # Errors
    /// Inputs that the operator does not take, more elements than are computed in all.
    pub fn folded(&mut self, op: &Op, inputs: &[Constant]) -> Result<Option<Vec<Constant>>, String> {
        if self.is_own {
            return Ok(None);
        }
        let types: Vec<_> = inputs.iter().map(|one| (one.shape(), one.element_type())).collect();
        let shapes = op.infer(&types)?;
        let read: Vec<_> = inputs.iter().map(Constant::shape).collect();
        if !worth_folding(op, &read, &shapes[0].0) {
            return Ok(None);
        }
        let made = op.evaluate(inputs)?;
        self.count(&made)?;
        Ok(Some(made))
    }

    /// What integers pick of a table, in a shape of as many elements.
    fn looked_up(&mut self, name: &str, table: Constant, integers: ValueId, shape: Shape) -> Result<ValueId, String> {
        let of_table = self.computed(format!("{name}.table"), table.clone())?;
        let pick = ops::Gather { axis: 0 };
        let id = match *self.shape(integers) == shape {
            true => self.b.node(name, pick, &[of_table, integers]).map_err(|error| error.message)?,
            false => {
                let picked = self.fresh(format!("{name}.picked"));
                let picked = self.b.node(picked, pick, &[of_table, integers]).map_err(|error| error.message)?;
                self.b.node(name, ops::Reshape { shape }, &[picked]).map_err(|error| error.message)?
            }
        };
        self.lookups.know(id, table, integers);
        Ok(id)
    }

    /// Says of which tables an input of integers picks.
    pub fn mark_integers(&mut self, id: ValueId, model: &Model, name: &str) {
        if let Some(rows) = rows(model, name) {
            self.lookups.bound(id, rows);
        }
    }

    /// Integers as real numbers, picked of a table; none where nobody says how many there are.
    ///
    /// # Errors
    /// As for [`Making::constant`].
    pub fn number_of(&mut self, integers: ValueId) -> Result<Option<ValueId>, String> {
        let Some(table) = self.lookups.table(self.b.graph(), integers) else { return Ok(None) };
        let name = self.fresh(format!("{}.number", self.b.graph().value(integers).name));
        let shape = self.shape(integers).clone();
        self.looked_up(&name, table, integers, shape).map(Some)
    }

    /// The value in another shape, under the name of the file's output.
    ///
    /// # Errors
    /// Another number of elements.
    pub fn reshaped(&mut self, name: &str, id: ValueId, shape: Shape) -> Result<ValueId, String> {
        self.last(name, ops::Reshape { shape }, &[id])
    }

    /// Shape of a value.
    pub fn shape(&self, id: ValueId) -> &Shape {
        self.b.shape(id)
    }

    /// Ends the graph with these outputs, each under its own name.
    ///
    /// # Errors
    /// An output that cannot be of a graph.
    pub fn finish(mut self, outputs: &'m [String]) -> Result<Graph, (String, String)> {
        let mut made: Vec<ValueId> = Vec::with_capacity(outputs.len());
        for name in outputs {
            let refused = |message: String| (name.clone(), message);
            let id = self.value(name).map_err(refused)?;
            // What vanished left its input, which has another name; an input is no output, nor is one value two.
            let value = self.b.graph().value(id);
            let is_called_so = value.name == *name && !self.b.graph().inputs().contains(&id);
            let is_another_output = outputs.contains(&value.name);
            let id = match is_called_so || !is_another_output && self.b.rename(id, name) {
                true => id,
                false => {
                    let shape = self.shape(id).clone();
                    self.b.node(name.clone(), ops::Reshape { shape }, &[id]).map_err(|error| refused(error.message))?
                }
            };
            made.push(id);
        }
        Ok(self.b.finish(made))
    }
}

/// A constant as an operator is told of it.
fn described(constant: &Constant) -> OnnxInput {
    OnnxInput { shape: constant.shape().clone(), element: constant.element_type(), constant: Some(constant.clone()) }
}
