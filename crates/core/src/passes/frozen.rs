//! Frozen graphs: the result of the passes.

use std::ops::Deref;

use crate::ir::{Graph, validate};
use autoneural_base::error::{Error, Result};

/// A graph that never changes again. It is valid, and every operator of it has a form in ONNX. Statistics, encodings
/// and codes refer to its values by name.
#[derive(Debug, Clone)]
pub struct Frozen(Graph);

impl Frozen {
    /// Freezes a graph as it is.
    ///
    /// # Errors
    /// The graph is not valid, or has an operator without a form in ONNX.
    pub fn new(graph: Graph) -> Result<Self> {
        validate(&graph)?;
        for node in graph.nodes() {
            let shapes: Vec<_> = node.inputs.iter().map(|&id| &graph.value(id).shape).collect();
            if node.op.to_onnx(&shapes).is_none() {
                let message = format!("{} is not spelled out", node.op.name());
                return Err(Error::internal(format!("{}: {}", graph.name, node.name), message));
            }
        }
        Ok(Frozen(graph))
    }
}

impl Deref for Frozen {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType, Op, ops};

    fn one(op: impl Into<Op>) -> Graph {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 2], ElementType::F32).unwrap();
        let y = b.node("y", op, &[x]).unwrap();
        b.finish(vec![y])
    }

    #[test]
    fn what_is_frozen_has_a_form_in_onnx() {
        assert_eq!(Frozen::new(one(ops::Sigmoid)).unwrap().nodes().len(), 1);
        let said = Frozen::new(one(ops::Silu)).unwrap_err().to_string();
        assert!(said.contains("g: y: Silu is not spelled out"), "{said}");
    }
}
