//! The validator: what it lets through, no later stage needs to fear.

use std::collections::HashSet;

use super::graph::{Graph, Origin};
use autoneural_base::error::{Error, Result};

/// Checks that handles point into the arena, names are unique, every value is made before it is read, and the recorded
/// shapes are what inference gives.
///
/// # Errors
/// Names the graph and the node or value that breaks the rule.
pub fn validate(graph: &Graph) -> Result<()> {
    let fail = |what: &str, message: String| Err(Error::internal(format!("{}: {what}", graph.name), message));
    let mut names = HashSet::new();
    for (_, value) in graph.values() {
        if !names.insert(&value.name) {
            return fail(&value.name, "two values have this name".into());
        }
        if let Origin::Constant(constant) = &value.origin {
            if constant.shape() != &value.shape {
                return fail(&value.name, format!("recorded as {:?}, stored as {:?}", value.shape, constant.shape()));
            }
            if constant.element_type() != value.element {
                let (recorded, stored) = (value.element.name(), constant.element_type().name());
                return fail(&value.name, format!("recorded as {recorded}, stored as {stored}"));
            }
        }
    }
    let mut made: Vec<bool> = graph.values.iter().map(|value| matches!(value.origin, Origin::Constant(_))).collect();
    for &id in &graph.inputs {
        if id.index() >= made.len() || !matches!(graph.value(id).origin, Origin::Input) {
            return fail("inputs", format!("handle {} is no input", id.index()));
        }
        made[id.index()] = true;
    }
    for node in &graph.nodes {
        if let Some(id) = node.inputs.iter().find(|id| !made.get(id.index()).copied().unwrap_or(false)) {
            return fail(&node.name, format!("reads value {} before it is made", id.index()));
        }
        let types: Vec<_> = node.inputs.iter().map(|&id| (&graph.value(id).shape, graph.value(id).element)).collect();
        let inferred = match node.op.infer(&types) {
            Ok(inferred) => inferred,
            Err(message) => return fail(&node.name, message),
        };
        if inferred.len() != node.outputs.len() {
            return fail(&node.name, format!("{} outputs, {} are wanted", node.outputs.len(), inferred.len()));
        }
        for (&id, (shape, element)) in node.outputs.iter().zip(&inferred) {
            let Some(value) = graph.values.get(id.index()) else {
                return fail(&node.name, format!("makes value {}, which does not exist", id.index()));
            };
            if made[id.index()] {
                return fail(&node.name, format!("makes `{}` a second time", value.name));
            }
            if value.shape != *shape || value.element != *element {
                return fail(&node.name, format!("`{}` is recorded as {:?}, it is {shape:?}", value.name, value.shape));
            }
            made[id.index()] = true;
        }
    }
    match graph.outputs.iter().find(|id| !made.get(id.index()).copied().unwrap_or(false)) {
        Some(id) => fail("outputs", format!("value {} is never made", id.index())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Builder, ElementType, ValueId, ops};
    use super::*;

    fn small() -> Graph {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 4], ElementType::F32).unwrap();
        let y = b.node("y", ops::Sigmoid, &[x]).unwrap();
        let z = b.node("z", ops::Mul, &[x, y]).unwrap();
        b.finish(vec![z])
    }

    #[test]
    fn a_built_graph_is_valid() {
        validate(&small()).unwrap();
    }

    #[test]
    fn every_broken_promise_is_found() {
        type Damage = fn(&mut Graph);
        let breaks: [(&str, Damage); 5] = [
            ("before it is made", |g| g.nodes.swap(0, 1)),
            ("it is [1, 4]", |g| g.values[1].shape = vec![4, 1]),
            ("is never made", |g| g.outputs.push(ValueId(77))),
            ("have this name", |g| g.values[2].name = "y".into()),
            ("takes 2..=2 inputs", |g| g.nodes[1].inputs.truncate(1)),
        ];
        for (message, damage) in breaks {
            let mut graph = small();
            damage(&mut graph);
            let error = validate(&graph).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}
