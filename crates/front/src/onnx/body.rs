//! Graphs among the attributes of a node: the two ways of a choice.

use std::collections::{HashMap, HashSet};

use super::model::Body;
use super::order::ordered;
use super::read::{Reading, initializers};
use super::renamed::apart;
use autoneural_base::error::{Error, Result};
use autoneural_onnx::GraphProto;

impl Reading<'_> {
    /// A graph that reads names of those around it. Its own names become such that nobody else has.
    ///
    /// # Errors
    /// As for a model.
    pub fn body(&mut self, graph: &GraphProto) -> Result<Body> {
        if !graph.input.is_empty() {
            return Err(Error::input(
                format!("graph `{}`", graph.name),
                "has inputs of its own, which a choice has not",
            ));
        }
        let refused = |message: String| Error::input(format!("graph `{}`", graph.name), message);
        let graph = apart(graph, &mut self.taken, &mut self.copied).map_err(refused)?;
        let mut constants = initializers(&graph, self.data)?;
        let nodes = self.nodes(&graph.node, &mut constants, &mut HashMap::new(), &[])?;
        let outputs: Vec<String> = graph.output.iter().map(|info| info.name.clone()).collect();
        let made: HashSet<&str> = nodes.iter().flat_map(|node| &node.outputs).map(String::as_str).collect();
        let is_outside = |name: &&str| !name.is_empty() && !made.contains(name) && !constants.contains_key(*name);
        let reads = nodes.iter().flat_map(|node| node.reads()).chain(&outputs).map(String::as_str);
        let mut outside: Vec<String> = reads.filter(is_outside).map(ToString::to_string).collect();
        outside.sort_unstable();
        outside.dedup();
        let given = constants.keys().chain(&outside).map(String::as_str).collect();
        let nodes = ordered(nodes, &given, &outputs)?;
        Ok(Body { nodes, constants, outputs, outside })
    }
}
