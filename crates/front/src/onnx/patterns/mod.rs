//! Operators that a model spells out in several nodes, and that the IR has as one: found in the graph that was read, and
//! replaced before it is frozen. On an NPU that computes in integers a normalization that is spelled out loses its
//! small numbers on the way; as one operator it does not.
//!
//! A pattern looks at one node and at what it depends on, and says which operator on which values gives the same. What
//! becomes idle then is dropped; what others read stays.

mod attention;
mod found;
mod gelu;
mod hard_swish;
mod layer_norm;
mod mish;
mod rms_norm;
mod rope;
mod silu;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{Graph, Node, validate};
use autoneural_core::passes::prune;
use autoneural_core::passes::rewrite::Rewrite;
use found::{Found, Source};
use view::View;

/// A way in which models spell out an operator.
struct Pattern {
    /// What it is called in what is told of a model.
    name: &'static str,
    find: fn(&View, &Node) -> Option<Found>,
}

/// All patterns. Of those that fit a node the first one counts.
const PATTERNS: &[Pattern] = &[
    Pattern { name: "LayerNormalization", find: layer_norm::find },
    Pattern { name: "RMSNormalization", find: rms_norm::find },
    Pattern { name: "Gelu", find: gelu::find },
    Pattern { name: "HardSwish", find: hard_swish::find_swish },
    Pattern { name: "HardSigmoid", find: hard_swish::find_sigmoid },
    Pattern { name: "Mish", find: mish::find },
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
            read.push(match input {
                Source::Value(id) => rewrite.get(id)?,
                Source::Constant(what, constant) => {
                    let mut called = format!("{}.{what}", node.name);
                    while graph.find(&called).is_some() {
                        called.push('_');
                    }
                    rewrite.new.constant(called, constant)?
                }
            });
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
