//! Printing: a graph as text, one node a line.

use std::fmt;

use super::graph::{Graph, Origin, ValueId};
use autoneural_base::shown::in_line;

impl Graph {
    fn typed(&self, id: ValueId) -> String {
        let value = self.value(id);
        let sizes: Vec<String> = value.shape.iter().map(usize::to_string).collect();
        format!("{}: {}[{}]", in_line(&value.name), value.element.name(), sizes.join(","))
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "graph {} {{", in_line(&self.name))?;
        for &id in &self.inputs {
            writeln!(f, "  input {}", self.typed(id))?;
        }
        for (id, value) in self.values() {
            if matches!(value.origin, Origin::Constant(_)) {
                writeln!(f, "  const {}", self.typed(id))?;
            }
        }
        for node in &self.nodes {
            let outputs: Vec<String> = node.outputs.iter().map(|&id| self.typed(id)).collect();
            let inputs: Vec<_> = node.inputs.iter().map(|&id| in_line(&self.value(id).name)).collect();
            writeln!(f, "  {} = {:?}({})", outputs.join(", "), node.op, inputs.join(", "))?;
        }
        for &id in &self.outputs {
            writeln!(f, "  output {}", in_line(&self.value(id).name))?;
        }
        writeln!(f, "}}")
    }
}
