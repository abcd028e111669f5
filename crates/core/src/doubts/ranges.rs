//! Ranges with nothing in them: values that were zero, or one number, in all of calibration, and layers whose outputs
//! did not depend on what came in.

use std::collections::BTreeMap;

use crate::encoding::SMALLEST_SCALE;
use crate::evidence::{CoverageTable, StatisticsTable};
use crate::ir::{Graph, Node, ValueId};
use crate::partition::Partition;
use crate::program::Group;
use crate::quantize::{Table, weight};
use autoneural_base::warning::Warning;

/// What calibration saw of the values of a program.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Ranges.
    pub statistics: &'a StatisticsTable,
    /// How far the runs agree about them; empty in a bundle of a version that did not keep it.
    pub coverage: &'a CoverageTable,
}

/// The stage that the warnings name.
const STAGE: &str = "quantize";
/// Fewest numbers of which it means something that all are the same.
const FEWEST: u64 = 16;
const REACH: &str = "nothing is to be done where weights are zero on purpose, as in pruned branches; else calibrate with \
    samples that reach it";

/// What is wrong with a range.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// All numbers were 0.
    Zero,
    /// They were so small that no scale tells them from 0.
    Tiny(f32),
    /// One integer stands for all of them.
    Constant(f32),
    /// The output of a layer that had the same ends in so many runs, and its input had not.
    Still(u64),
}

impl Kind {
    /// Whether one warning tells both.
    fn is_like(self, other: Kind) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// What is said of a value, of which the samples may be made, and of so many more behind it.
    fn words(self, is_input: bool, more: usize) -> (String, &'static str) {
        let others = |words: &str| match more {
            0 => words.replace("{were}", "").replace("{it becomes}", "it becomes"),
            _ => {
                let were = if more == 1 { "was" } else { "were" };
                words.replace("{were}", &format!(", as {were} {more} more")).replace("{it becomes}", "they become")
            }
        };
        let samples = "no sample shows anything here: look at the files that calibrate";
        match self {
            Kind::Zero => (
                others("was zero in all of calibration{were}; what else {it becomes} later is lost"),
                if is_input { samples } else { REACH },
            ),
            Kind::Tiny(largest) => {
                let words = format!(
                    "was {largest:e} at most in all of calibration, which no scale tells from zero{{were}}; what else \
                     {{it becomes}} later is lost"
                );
                (others(&words), if is_input { samples } else { REACH })
            }
            Kind::Constant(number) => {
                let words = format!(
                    "was the number {number} in all of calibration{{were}}; its range reaches from there to 0, and \
                     what else {{it becomes}} later may be cut off"
                );
                (others(&words), if is_input { samples } else { "calibrate with samples in which it differs" })
            }
            Kind::Still(runs) => {
                let and_more = if more > 0 { format!(" (and {more} more such layers)") } else { String::new() };
                let words =
                    format!("had the same range in all {runs} runs, though what its layer reads had not{and_more}");
                (words, "its weights are zero, or all that they make is cut off: look at the layer in the model")
            }
        }
    }
}

/// Warnings about the ranges of a group, whose partitions have these tables. Of values that follow from each other the
/// first is named.
pub fn of_ranges(partitions: &[Partition], group: &Group, tables: &[&Table], seen: Seen) -> Vec<Warning> {
    // Graphs of a group share values, by name.
    let mut known: BTreeMap<&str, Kind> = BTreeMap::new();
    let mut found: Vec<(&str, bool, Kind)> = Vec::new();
    let own = partitions.iter().filter(|partition| partition.group == *group);
    for (partition, table) in own.zip(tables) {
        let graph = &partition.graph;
        let ports = graph.inputs().iter().zip(&partition.inputs);
        let makers = graph.nodes().iter().flat_map(|node| node.outputs.iter().map(move |id| (*id, Some(node))));
        // Inputs with a range of their own, such as masks, are what the driver makes of them.
        let inputs = ports.filter(|(_, port)| port.range.is_none()).map(|(id, _)| (*id, None));
        for (id, node) in inputs.chain(makers) {
            let name = graph.value(id).name.as_str();
            if known.contains_key(name) {
                continue;
            }
            let Some(kind) = kind((graph, id, node), group, table, seen) else { continue };
            // What follows from another one is one of those.
            let read = node.into_iter().flat_map(|node| &node.inputs);
            let cause = read.filter_map(|id| known.get(graph.value(*id).name.as_str())).next();
            let kind = *cause.unwrap_or(&kind);
            known.insert(name, kind);
            found.push((name, node.is_none(), kind));
        }
    }
    let mut made: Vec<Warning> = Vec::new();
    let mut left = found.as_slice();
    let mut told: Vec<Kind> = Vec::new();
    while let Some(((name, is_input, kind), rest)) = left.split_first() {
        left = rest;
        if told.iter().any(|other| other.is_like(*kind)) {
            continue;
        }
        told.push(*kind);
        let more = rest.iter().filter(|(_, _, other)| other.is_like(*kind)).count();
        let (message, help) = kind.words(*is_input, more);
        made.push(Warning::new(STAGE, format!("{}: `{name}`", group.name()), message).help(help));
    }
    made
}

/// What is wrong with the range of a value that `node` makes, if a node does.
fn kind((graph, id, node): (&Graph, ValueId, Option<&Node>), group: &Group, table: &Table, seen: Seen) -> Option<Kind> {
    let name = |id: ValueId| graph.value(id).name.as_str();
    let scale = *table.activations.get(name(id))?.scale.first()?;
    let range = seen.statistics.get(group, name(id));
    if scale <= SMALLEST_SCALE {
        let largest = range.map_or(0.0, |seen| seen.max.max(-seen.min));
        return Some(if largest > 0.0 { Kind::Tiny(largest) } else { Kind::Zero });
    }
    let range = range.filter(|seen| seen.count >= FEWEST)?;
    // A range that was chosen, or is known without samples, may be wider than what was seen.
    if range.max == range.min && range.max != 0.0 {
        return Some(Kind::Constant(range.max));
    }
    let layer = node.filter(|node| weight(graph, node).is_some())?;
    let coverage = |id: ValueId| seen.coverage.get(group, name(id));
    let own = coverage(id).filter(|own| own.is_the_same_in_all_runs())?;
    let data = *layer.inputs.first()?;
    let is_told_apart = table.activations.get(name(data)).is_some_and(|read| read.scale[0] > SMALLEST_SCALE);
    let is_varied = is_told_apart && coverage(data).is_some_and(|read| !read.is_the_same_in_all_runs());
    is_varied.then_some(Kind::Still(own.runs))
}
