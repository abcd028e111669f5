//! Sums that a chip keeps in steps too coarse for what they become, because one scale for all weights of an output channel
//! in few bits is large. The simulation sums without steps and does not show it.

use crate::encoding::Encoding;
use crate::ir::{Graph, Node};
use crate::partition::Partition;
use crate::program::Group;
use crate::quantize::{Table, can_be_cut, steps_of_sums, weight};
use crate::target::{Granularity, Target};
use autoneural_base::text::listed;
use autoneural_base::warning::Warning;

/// Fewest steps in the range of what a layer makes about which nothing is said. Of the layers of SmolLM2-135M in 4 bits per
/// channel, which add four times as much to its perplexity on the SA8295P as in simulation, a quarter have fewer; in
/// blocks, where the two agree, none has fewer than 30,000.
const FEWEST: f64 = 8192.0;

/// A warning about layers of a group whose sums are kept in few steps, and would be kept in more if their weights were in
/// blocks.
pub fn of_sums(
    partitions: &[Partition],
    group: &Group,
    tables: &[&Table],
    target: &Target,
    stage: &str,
) -> Option<Warning> {
    let mut found: Vec<(f64, &str)> = Vec::new();
    let own = partitions.iter().filter(|partition| partition.group == *group);
    for (partition, table) in own.zip(tables) {
        let graph = &*partition.graph;
        for node in graph.nodes() {
            let Some(value) = weight(graph, node).filter(|_| has_better(target, graph, node, table)) else { continue };
            let Some(steps) = steps_in_range(target, graph, node, table).filter(|steps| *steps < FEWEST) else {
                continue;
            };
            match found.iter_mut().find(|(_, name)| *name == value.name) {
                Some((known, _)) => *known = known.min(steps),
                None => found.push((steps, &value.name)),
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let names: Vec<String> = found.iter().map(|(steps, name)| format!("`{name}` ({steps:.0})")).collect();
    let layers = if names.len() == 1 { "layer has" } else { "layers have" };
    let message = format!(
        "{} {layers} one scale for all weights of a channel in few bits, so that the chip keeps sums in fewer than \
         {FEWEST} steps of the range of what they become, which the simulation does not show: {}",
        names.len(),
        listed(&names)
    );
    let help = "in blocks of 4 bits (`int4 in blocks of 64`) sums are 16 times as fine; with `block_scales = \"shared\"` \
        the numbers stay those of `int4`; or judge by `verify` on the NPU";
    (!names.is_empty()).then(|| Warning::new(stage, group.name(), message).help(help))
}

/// Whether weights have one scale per channel or fewer, and the target takes the same integers in blocks, too.
fn has_better(target: &Target, graph: &Graph, node: &Node, table: &Table) -> bool {
    let Some(value) = weight(graph, node) else { return false };
    let (Some(encoding), Some(axes)) = (table.params.get(&value.name), node.op.weight_axes(value.shape.len())) else {
        return false;
    };
    let in_blocks = target.operator(node.op.name()).into_iter().flat_map(|operator| &operator.weights);
    let fits = |weights: &crate::target::Weights| match weights.granularity {
        Granularity::Block(size) => weights.integer == encoding.integer && can_be_cut(&value.shape, axes, size),
        _ => false,
    };
    encoding.block.is_none() && in_blocks.into_iter().any(fits)
}

/// How many steps of its sums the range of what a node makes has, in the channel in the middle.
fn steps_in_range(target: &Target, graph: &Graph, node: &Node, table: &Table) -> Option<f64> {
    let mut steps = steps_of_sums(target, graph, node, table)?;
    steps.sort_by(f64::total_cmp);
    let [low, high] = table.activations.get(&graph.value(node.outputs[0]).name).map(Encoding::range)?;
    Some(f64::from(high - low) / steps.get(steps.len() / 2)?)
}
