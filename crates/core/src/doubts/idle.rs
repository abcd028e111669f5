//! Keys of a recipe that change nothing of a group, because the group has nothing that they are about.

use crate::ir::{Graph, Node};
use crate::partition::Partition;
use crate::program::{Group, State};
use crate::quantize::weight;
use crate::recipe::PartRecipe;
use autoneural_base::text::listed;
use autoneural_base::warning::Warning;

/// A warning about keys of a group's recipe that have no effect. How products and GELUs are written is said of those that
/// there are, as recipes that are made by this program say it.
pub fn of_idle_keys(partitions: &[Partition], group: &Group, recipe: &PartRecipe, stage: &str) -> Option<Warning> {
    let own = || partitions.iter().filter(|partition| partition.group == *group);
    let has = |is_such: fn(&Partition, &Graph, &Node) -> bool| {
        own().any(|one| one.graph.nodes().iter().any(|node| is_such(one, &one.graph, node)))
    };
    let keeps = || {
        let mut ports = own().flat_map(|partition| partition.inputs.iter().chain(&partition.outputs));
        ports.any(|port| matches!(port.meaning.state, Some(State::Append { .. })))
    };
    let mut idle = Vec::new();
    if recipe.kv_cache.is_some() && !keeps() {
        idle.push("`kv_cache` (it keeps no keys and values)");
    }
    if recipe.head.is_some()
        && !has(|partition, graph, node| partition.makes_main(node) && weight(graph, node).is_some())
    {
        idle.push("`head` (no weights make its main output)");
    }
    if recipe.depthwise.is_some()
        && !has(|_, graph, node| weight(graph, node).is_some_and(|w| node.op.is_depthwise(&w.shape)))
    {
        idle.push("`depthwise` (it has no such convolution)");
    }
    let names: Vec<String> = idle.into_iter().map(str::to_string).collect();
    let message = format!("keys of `[recipe.{group}]` change nothing: {}", listed(&names));
    (!names.is_empty()).then(|| Warning::new(stage, group.name(), message).help("leave them out of the recipe"))
}
