//! Segments: how a partition is carried out. From its graph, its encodings and the target follow runs of nodes in
//! order, each on the NPU or on the CPU. One run on the NPU is the normal case.
//!
//! A partition is cut where the NPU does not take a node, and where its weights are more than one context binary holds.
//! A value crosses a cut as the integers of its own encoding, so that a cut costs bytes and never precision.

mod assign;
mod border;
mod cost;
mod cut;
mod inside;
mod pieces;
mod span;
mod unit;

pub use cost::multiply_adds;
pub use cut::cut;
pub use inside::{halves, inside, part, part_with};
pub use span::span;
pub use unit::{Device, Segment, is_whole};

use std::ops::Range;

use crate::ir::Node;
use crate::ir::ops::Work;
use crate::partition::Partition;
use crate::quantize::{Table, refusal};
use crate::target::Target;
use assign::{Choice, assign};
use autoneural_base::error::{Error, Result};
use border::Border;
use pieces::pieces;

/// Cuts a partition into segments: nodes that the target does not take go to the CPU, with those neighbours that make
/// the border smaller. All others go into as few context binaries on the NPU as can hold their weights.
///
/// # Errors
/// The weights of one node are more than a context binary holds, or the table belongs to another graph.
pub fn segments(partition: &Partition, table: &Table, target: &Target) -> Result<Vec<Segment>> {
    let graph = &partition.graph;
    let refusals = graph.nodes().iter().map(|node| refusal(graph, node, target, table)).collect::<Result<Vec<_>>>()?;
    let border = Border::new(graph, table)?;
    let choices: Vec<Choice> = graph.nodes().iter().zip(&refusals).map(|(node, why)| choice(node, why)).collect();
    let mut made = Vec::new();
    for (device, run) in runs(&assign(&choices, border.bytes())) {
        let cuts = match device {
            Device::Cpu => vec![run],
            Device::Npu => into_binaries(partition, table, target, &border, run)?,
        };
        for nodes in cuts {
            let mut why: Vec<String> = refusals[nodes.clone()].iter().flatten().cloned().collect();
            why.sort();
            why.dedup();
            let (inputs, outputs) = (border.inputs(nodes.clone()), border.outputs(nodes.clone()));
            made.push(Segment { name: partition.name.clone(), device, nodes, inputs, outputs, why });
        }
    }
    match made.as_mut_slice() {
        // A segment that is the whole partition has the graph's inputs and outputs, in the graph's order.
        [only] => {
            only.inputs = graph.inputs().to_vec();
            only.outputs = graph.outputs().to_vec();
        }
        several => {
            several.iter_mut().enumerate().for_each(|(at, segment)| segment.name = format!("{}.{at}", segment.name))
        }
    }
    Ok(made)
}

/// Where a node may go. Nodes that have weights or multiply matrices are what the NPU is for; all others are cheap on
/// either device.
fn choice(node: &Node, refusal: &Option<String>) -> Choice {
    match (refusal, node.op.work()) {
        (Some(_), _) => Choice::Cpu,
        (None, Work::Moves | Work::Elementwise | Work::Requantizes) => Choice::Either,
        (None, Work::Computes) => Choice::Npu,
    }
}

/// The runs of neighbouring nodes on the same device.
fn runs(devices: &[Device]) -> Vec<(Device, Range<usize>)> {
    let mut made: Vec<(Device, Range<usize>)> = Vec::new();
    for (at, &device) in devices.iter().enumerate() {
        match made.last_mut() {
            Some((last, run)) if *last == device => run.end = at + 1,
            _ => made.push((device, at..at + 1)),
        }
    }
    made
}

/// Cuts a run of nodes for the NPU into as few runs as context binaries are needed for their weights.
fn into_binaries(
    partition: &Partition,
    table: &Table,
    target: &Target,
    border: &Border,
    run: Range<usize>,
) -> Result<Vec<Range<usize>>> {
    let sizes = [target.memory.context_mib, target.memory.process_mib];
    let Some(mib) = sizes.into_iter().flatten().min() else { return Ok(vec![run]) };
    let graph = &partition.graph;
    let mut weights = Vec::new();
    for node in &graph.nodes()[run.clone()] {
        let constants = node.inputs.iter().filter(|&&id| graph.value(id).constant().is_some());
        weights.push(constants.map(|&id| Ok((id, table.bytes_of(graph.value(id))?))).collect::<Result<Vec<_>>>()?);
    }
    let cuts = pieces(&weights, &border.bytes()[run.start..], u64::from(mib) << 20).map_err(|at| {
        let node = &graph.nodes()[run.start + at];
        let bytes = weights[at].iter().map(|(_, bytes)| bytes).sum::<u64>();
        let message = format!("has weights of {}", autoneural_base::text::bytes(bytes));
        Error::input(
            format!("{}: {}", partition.name, node.name),
            format!("{message}; target {} holds {mib} MiB in one context binary", target.name),
        )
        .help("give it fewer bits in the recipe")
    })?;
    Ok(cuts.into_iter().map(|cut| run.start + cut.start..run.start + cut.end).collect())
}
