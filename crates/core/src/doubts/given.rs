//! Given encodings that hardly fit the weights or what the samples show: as of a file that was made for another model
//! whose tensors have the same names.

use crate::encoding::{Encoding, IntegerType, magnitudes};
use crate::evidence::StatisticsTable;
use crate::ir::{Op, ValueId};
use crate::partition::Partition;
use crate::program::Group;
use crate::quantize::{Given, Table};
use autoneural_base::text::listed;
use autoneural_base::warning::Warning;

/// Share of what was seen that a given range covers at least. Training that clips outliers stays far above it.
const LEAST_COVERED: f64 = 1.0 / 8.0;
/// How many times as wide as what was seen a given range is at most: six of its bits are idle then.
const MOST_TIMES: f64 = 64.0;

/// Share of the range of its integers that the largest weight of a channel takes at least; two in three channels do.
const LEAST_TAKEN: f32 = 1.0 / 16.0;

/// Warnings about given ranges of a group that are far narrower or far wider than what calibration saw, or far wider
/// than its weights.
pub fn of_given(
    partitions: &[Partition],
    group: &Group,
    tables: &[&Table],
    (given, statistics): (&Given, &StatisticsTable),
) -> Vec<Warning> {
    let [mut narrow, mut wide, mut idle] = [const { Vec::new() }; 3];
    let own = partitions.iter().filter(|partition| partition.group == *group);
    for (partition, table) in own.zip(tables) {
        let graph = &partition.graph;
        // Of scores behind a mask only those count that it does not hide.
        let is_masked = |id: ValueId| {
            graph.nodes().iter().any(|node| matches!(node.op, Op::Softmax(_)) && node.inputs.contains(&id))
        };
        for (id, value) in graph.values() {
            if let Some(constant) = value.constant()
                && let Some((entry, _)) = given.constant(group, &value.name)
                && let Some(encoding) = table.params.get(&value.name)
                && idle_share(&constant.to_f32(), &value.shape, encoding) > 2.0 / 3.0
                && !idle.contains(&entry.place())
            {
                idle.push(entry.place());
                continue;
            }
            let Some((entry, _)) = given.activation(group, &value.name) else { continue };
            let Some(encoding) = table.activations.get(&value.name) else { continue };
            let Some(seen) = statistics.get(group, &value.name).filter(|seen| seen.max > seen.min) else { continue };
            let [low, high] = encoding.range().map(f64::from);
            let [min, max] = [f64::from(seen.min.min(0.0)), f64::from(seen.max.max(0.0))];
            let covered = high.min(max) - low.max(min);
            let told = format!("{} {low:.4} to {high:.4}, seen {min:.4} to {max:.4}", entry.place());
            if covered < LEAST_COVERED * (max - min) && !is_masked(id) && !narrow.contains(&told) {
                narrow.push(told);
            } else if high - low > MOST_TIMES * (max - min) && !wide.contains(&told) {
                wide.push(told);
            }
        }
    }
    let one = |names: Vec<String>, what: &str| {
        let message = format!("{} given ranges {what}: {}", names.len(), listed(&names));
        let help = "are the encodings of this model and its weights? else leave them out, and ranges are calibrated";
        (!names.is_empty()).then(|| Warning::new("quantize", group.name(), message).help(help))
    };
    let narrow = one(narrow, "cover less than an eighth of what the samples show");
    let wide = one(wide, "are more than 64 times as wide as what the samples show");
    let idle = one(idle, "of weights are more than 16 times as wide as the weights of most channels");
    [narrow, wide, idle].into_iter().flatten().collect()
}

/// Share of the scales under which the largest weight takes less of the integers than it should. A channel of zeros
/// takes what it is given.
fn idle_share(weights: &[f32], shape: &[usize], encoding: &Encoding) -> f32 {
    let Some(axis) = encoding.axis.filter(|_| encoding.block.is_none()) else { return 0.0 };
    if encoding.integer == IntegerType::Int32 || shape.get(axis) != Some(&encoding.scale.len()) {
        return 0.0;
    }
    let largest = magnitudes(weights, shape, Some(axis));
    let most = encoding.integer.limits().1 as f32;
    let is_idle = |(largest, scale): &(&f32, &f32)| **largest > 0.0 && **largest < LEAST_TAKEN * most * **scale;
    largest.iter().zip(&encoding.scale).filter(is_idle).count() as f32 / largest.len().max(1) as f32
}
