//! Classes of values, by which a recipe chooses observers.

use serde::{Deserialize, Serialize};

use crate::ir::ops::InputKind;
use crate::ir::{Op, ValueId};
use crate::partition::Partition;
use crate::program::State;

/// What a value is. Of several that it could be, and of several values that share an encoding, the first of this list
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueClass {
    /// Keys and values of attention: state that grows with the tokens, and what is added to it.
    KeysAndValues,
    /// Other inputs of a graph.
    Inputs,
    /// Other outputs of a graph.
    Outputs,
    /// Made by a softmax.
    Softmax,
    /// Made by an activation function, such as a Relu, a Gelu or a Clip.
    Functions,
    /// Made by a normalization.
    Normalizations,
    /// Made by a layer with weights.
    Layers,
    /// Anything else: sums, products of computed values, moves.
    Others,
}

impl ValueClass {
    /// The class of a value of a graph.
    pub fn of(partition: &Partition, id: ValueId) -> Self {
        let graph = &partition.graph;
        let is_appended = |state: &Option<State>| matches!(state, Some(State::Append { .. }));
        let ports = graph.inputs().iter().zip(&partition.inputs).chain(graph.outputs().iter().zip(&partition.outputs));
        if ports.filter(|(port, _)| **port == id).any(|(_, port)| is_appended(&port.meaning.state)) {
            return ValueClass::KeysAndValues;
        }
        if graph.inputs().contains(&id) {
            return ValueClass::Inputs;
        }
        if graph.outputs().contains(&id) {
            return ValueClass::Outputs;
        }
        let Some(node) = graph.nodes().iter().find(|node| node.outputs.contains(&id)) else {
            return ValueClass::Others;
        };
        match &node.op {
            Op::Softmax(_) => ValueClass::Softmax,
            Op::Clip(_)
            | Op::Elu(_)
            | Op::Gelu(_)
            | Op::HardSigmoid(_)
            | Op::HardSwish(_)
            | Op::LeakyRelu(_)
            | Op::Mish(_)
            | Op::PRelu(_)
            | Op::Relu(_)
            | Op::Selu(_)
            | Op::Sigmoid(_)
            | Op::Silu(_)
            | Op::Softplus(_)
            | Op::Tanh(_) => ValueClass::Functions,
            Op::InstanceNorm(_) | Op::LayerNorm(_) | Op::RmsNorm(_) => ValueClass::Normalizations,
            op => {
                let weight = op.signature().position(InputKind::Weight).and_then(|at| node.inputs.get(at));
                let has_weights = weight.is_some_and(|id| graph.value(*id).constant().is_some());
                if has_weights { ValueClass::Layers } else { ValueClass::Others }
            }
        }
    }
}

impl std::fmt::Display for ValueClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ValueClass::KeysAndValues => "keys-and-values",
            ValueClass::Inputs => "inputs",
            ValueClass::Outputs => "outputs",
            ValueClass::Softmax => "softmax",
            ValueClass::Functions => "functions",
            ValueClass::Normalizations => "normalizations",
            ValueClass::Layers => "layers",
            ValueClass::Others => "others",
        })
    }
}
