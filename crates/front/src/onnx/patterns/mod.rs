//! Operators that a model spells out in several nodes, and that the IR has as one: found in the graph that was read, and
//! replaced before it is frozen. On an NPU that computes in integers a normalization that is spelled out loses its
//! small numbers on the way; as one operator it does not.
//!
//! A pattern looks at one node and at what it depends on, and says which operator on which values gives the same. What
//! becomes idle then is dropped; what others read stays.

mod attention;
mod rope;
mod silu;
mod view;

use std::collections::BTreeMap;

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{Graph, Node, Op, ValueId, validate};
use autoneural_core::passes::prune;
use autoneural_core::passes::rewrite::Rewrite;
use view::View;

/// What an operator that was found reads.
enum Source {
    /// A value of the graph.
    Value(ValueId),
}

/// An operator that gives what a node gives.
struct Found {
    op: Op,
    inputs: Vec<Source>,
}

/// A way in which models spell out an operator.
struct Pattern {
    /// What it is called in what is told of a model.
    name: &'static str,
    find: fn(&View, &Node) -> Option<Found>,
}

/// All patterns. Of those that fit a node the first one counts.
const PATTERNS: &[Pattern] = &[
    Pattern { name: "Silu", find: silu::find },
    Pattern { name: "Attention", find: attention::find },
    Pattern { name: "RotaryEmbedding", find: rope::find },
];

/// The graph with operators in place of what spells them out, and how many of each were found.
///
/// # Errors
/// A graph that breaks a promise, which is a defect of a pattern.
pub fn recognize(graph: &Graph) -> Result<(Graph, BTreeMap<&'static str, usize>)> {
    let view = View::new(graph);
    let mut rewrite = Rewrite::new(graph)?;
    let mut replaced: Vec<(&'static str, String)> = Vec::new();
    for node in graph.nodes() {
        let found = PATTERNS.iter().find_map(|pattern| Some((pattern.name, (pattern.find)(&view, node)?)));
        let Some((name, Found { op, inputs })) = found else {
            rewrite.copy(node)?;
            continue;
        };
        let mut read = Vec::with_capacity(inputs.len());
        for input in inputs {
            let Source::Value(id) = input;
            read.push(rewrite.get(id)?);
        }
        let made = rewrite.new.node(node.name.clone(), op, &read)?;
        rewrite.set(node.outputs[0], made);
        replaced.push((name, node.name.clone()));
    }
    let made = prune(&rewrite.finish()?)?;
    validate(&made).map_err(|error| Error { message: format!("{} behind patterns", error.message), ..error })?;
    let mut counts = BTreeMap::new();
    // One pattern may hold another, which is idle then.
    for (name, node) in replaced {
        if made.find(&node).is_some() {
            *counts.entry(name).or_insert(0) += 1;
        }
    }
    Ok((made, counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::ir::{Builder, ElementType, ops};

    /// What patterns make of a graph of one input `x [1,2,8]`, as names of operators.
    pub fn recognized(build: impl FnOnce(&mut Builder, ValueId) -> ValueId) -> (Vec<&'static str>, Graph) {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 2, 8], ElementType::F32).unwrap();
        let y = build(&mut b, x);
        let (made, _) = recognize(&b.finish(vec![y])).unwrap();
        (made.nodes().iter().map(|node| node.op.name()).collect(), made)
    }

    #[test]
    fn what_is_read_elsewhere_stays() {
        let (names, _) = recognized(|b, x| {
            let gate = b.node("gate", ops::Sigmoid, &[x]).unwrap();
            let silu = b.node("silu", ops::Mul, &[x, gate]).unwrap();
            b.node("both", ops::Add, &[silu, gate]).unwrap()
        });
        assert_eq!(names, ["Sigmoid", "Silu", "Add"]);
    }

    #[test]
    fn a_graph_without_patterns_stays_as_it_is() {
        let (names, _) = recognized(|b, x| b.node("gate", ops::Sigmoid, &[x]).unwrap());
        assert_eq!(names, ["Sigmoid"]);
    }
}
