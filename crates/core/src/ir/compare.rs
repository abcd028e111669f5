//! Whether two graphs are the same: what a way there and back has to keep.

use super::constant::Constant;
use super::graph::{Graph, Value};
use super::types::ElementType;

impl Graph {
    /// The first difference from another graph, in words: of names, shapes, operators, their order, and of the numbers
    /// of constants. Handles may be others. `None` where there is none.
    pub fn difference(&self, other: &Graph) -> Option<String> {
        if self.name != other.name {
            return Some(format!("one is named `{}`, the other `{}`", self.name, other.name));
        }
        let ports = [("inputs", &self.inputs, &other.inputs), ("outputs", &self.outputs, &other.outputs)];
        for (what, own, others) in ports {
            let own = own.iter().map(|&id| typed(self.value(id)));
            if !own.eq(others.iter().map(|&id| typed(other.value(id)))) {
                return Some(format!("their {what} are others"));
            }
        }
        if self.nodes.len() != other.nodes.len() {
            return Some(format!("one has {} nodes, the other {}", self.nodes.len(), other.nodes.len()));
        }
        for (own, others) in self.nodes.iter().zip(&other.nodes) {
            if (&own.name, &own.op) != (&others.name, &others.op) {
                return Some(format!("`{}` {:?} is `{}` {:?}", own.name, own.op, others.name, others.op));
            }
            let own_values = own.inputs.iter().chain(&own.outputs).map(|&id| self.value(id));
            let other_values: Vec<&Value> =
                others.inputs.iter().chain(&others.outputs).map(|&id| other.value(id)).collect();
            if own.inputs.len() != others.inputs.len() || own.outputs.len() != others.outputs.len() {
                return Some(format!("`{}` has other numbers of inputs or outputs", own.name));
            }
            let differs = |(own, other): &(&Value, &Value)| typed(own) != typed(other) || !same_numbers(own, other);
            if let Some((value, _)) = own_values.zip(other_values).find(differs) {
                return Some(format!("`{}`: the value `{}` is another one", own.name, value.name));
            }
        }
        None
    }
}

fn typed(value: &Value) -> (&str, &[usize], ElementType) {
    (&value.name, &value.shape, value.element)
}

fn same_numbers(own: &Value, other: &Value) -> bool {
    own.constant().map(Constant::to_le_bytes) == other.constant().map(Constant::to_le_bytes)
}
