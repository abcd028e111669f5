//! Given scales under which a channel of weights is lost. Such a scale is accepted, since only its author knows what it
//! is for, but with a warning: training that diverged leaves scales of nearly zero.

use std::collections::BTreeSet;

use super::entry::Entry;
use super::given::Given;
use super::weights::weight;
use crate::encoding::Encoding;
use crate::ir::Value;
use crate::partition::Partition;
use autoneural_base::text::listed;
use autoneural_base::warning::Warning;

/// Share of the sum of its squares that a channel may lose. At a half its SQNR is 3 dB.
const MOST_LOST: f64 = 0.5;
/// A channel that loses more than half of the sum of its squares.
struct Lost {
    channel: usize,
    share: f64,
    largest: f32,
    scale: f32,
}

/// Warnings about weights of which channels are lost under the given scales. `stage` is the name of the stage, for the
/// warning.
pub fn warn_of_lost(partitions: &[Partition], given: &Given, stage: &str) -> Vec<Warning> {
    let (mut seen, mut warnings) = (BTreeSet::new(), Vec::new());
    let given: std::collections::BTreeMap<&str, &Entry> = given.params().collect();
    for graph in partitions.iter().map(|partition| &partition.graph) {
        for node in graph.nodes() {
            let Some(value) = weight(graph, node) else { continue };
            let Some(entry) = given.get(value.name.as_str()) else { continue };
            if seen.insert(value.name.as_str()) {
                let axis = node.op.weight_axes(value.shape.len()).and_then(|axes| axes.output).unwrap_or(0);
                let lost = lost(value, axis, entry.encoding());
                warnings.extend(lost.first().map(|first| warning(entry, &lost, first, stage)));
            }
        }
    }
    warnings
}

fn warning(entry: &Entry, lost: &[Lost], first: &Lost, stage: &str) -> Warning {
    let channels: Vec<String> = lost.iter().map(|lost| lost.channel.to_string()).collect();
    let Lost { channel, share, largest, scale } = first;
    let message = format!(
        "{} of {} scales lose more than half of their channel ({}): scale {scale:e} of channel {channel}, \
         whose largest weight is {largest:e}, loses {:.0} % of it",
        lost.len(),
        entry.encoding().scale.len(),
        listed(&channels),
        100.0 * share
    );
    let help =
        "look how they were learned, or leave the tensor out of the file: its scales then follow from its weights";
    Warning::new(stage, entry.place(), message).help(help)
}

fn lost(value: &Value, axis: usize, encoding: &Encoding) -> Vec<Lost> {
    let channels = encoding.scale.len();
    let Some(constant) = value.constant() else { return vec![] };
    if encoding.axis.is_some() && value.shape.get(axis) != Some(&channels) {
        // It is in blocks, whose scales are not looked at, or the stage that uses it refuses it.
        return vec![];
    }
    let (least, most) = encoding.integer.limits();
    let (least, most) = (least as f64, most as f64);
    let inner: usize = value.shape[axis + 1..].iter().product();
    let mut sums = vec![(0f64, 0f64, 0f32); channels];
    for (position, value) in constant.to_f32().into_iter().enumerate() {
        let channel = position / inner % channels.max(1);
        let (scale, zero_point) = (f64::from(encoding.scale[channel]), encoding.zero_point[channel] as f64);
        let code = ((f64::from(value) / scale).round_ties_even() + zero_point).clamp(least, most);
        let error = f64::from(value) - (code - zero_point) * scale;
        let (energy, lost, largest) = &mut sums[channel];
        *energy += f64::from(value) * f64::from(value);
        *lost += error * error;
        *largest = largest.max(value.abs());
    }
    let share = |(channel, (energy, lost, largest)): (usize, (f64, f64, f32))| {
        let share = if energy > 0.0 { lost / energy } else { 0.0 };
        (share > MOST_LOST).then_some(Lost { channel, share, largest, scale: encoding.scale[channel] })
    };
    sums.into_iter().enumerate().filter_map(share).collect()
}
