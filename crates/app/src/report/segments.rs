//! How partitions are carried out, for the report: in come segments, out goes what each of them holds, why it is where
//! it is, and what it costs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::sizes::binary_bytes;
use autoneural_base::error::Result;
use autoneural_base::text::bytes;
use autoneural_bundle::Bundle;
use autoneural_core::ir::{Origin, ValueId};
use autoneural_core::partition::Partition;
use autoneural_core::quantize::Table;
use autoneural_core::segment::{Device, Segment, is_whole, multiply_adds};

/// What one segment holds and costs. Bytes are those of one run of the partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentReport {
    /// Name of the segment.
    pub name: String,
    /// Where it runs.
    pub device: Device,
    /// Its nodes that compute or move something.
    pub nodes: usize,
    /// The same by operator.
    pub operators: BTreeMap<String, usize>,
    /// Their names, on the CPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_names: Vec<String>,
    /// On the CPU: why the NPU does not take them. Nodes that are there only because the border is smaller so give no
    /// reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// Bytes that it reads of other segments.
    pub bytes_in: u64,
    /// Bytes that other segments read of it.
    pub bytes_out: u64,
    /// Bytes that segments before it make and segments behind it read, and it does not: the host hands them past it.
    pub bytes_past: u64,
    /// Multiplications with addition of its convolutions and matrix products.
    pub multiply_adds: u64,
    /// Changes of encoding in it. The cuts make none: what crosses them keeps its integers.
    pub requantizations: usize,
    /// Its context binary, on the NPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_bytes: Option<u64>,
}

/// One entry per segment; none where all of the partition is one context binary.
pub fn report(
    bundle: &Bundle,
    partition: &Partition,
    table: &Table,
    segments: &[Segment],
) -> Result<Vec<SegmentReport>> {
    if is_whole(segments) {
        return Ok(vec![]);
    }
    let graph = &partition.graph;
    let sum = |ids: &BTreeSet<ValueId>| -> Result<u64> { ids.iter().map(|&id| table.bytes_of(graph.value(id))).sum() };
    // What a segment reads of others.
    let read = |segment: &Segment| -> BTreeSet<ValueId> {
        let is_made = |id: &ValueId| matches!(graph.value(*id).origin, Origin::Node);
        segment.inputs.iter().copied().filter(is_made).collect()
    };
    let mut made = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let nodes = &graph.nodes()[segment.nodes.clone()];
        let inputs = read(segment);
        let later: BTreeSet<ValueId> = segments[at + 1..].iter().flat_map(read).collect();
        let (own, past): (BTreeSet<_>, BTreeSet<_>) = later.iter().partition(|&id| segment.outputs.contains(id));
        let of_earlier: BTreeSet<ValueId> = segments[..at].iter().flat_map(|before| &before.outputs).copied().collect();
        let past = past.intersection(&of_earlier).filter(|&id| !inputs.contains(id)).copied().collect();
        let mut operators = BTreeMap::new();
        for node in nodes.iter().filter(|node| !node.op.requantizes()) {
            *operators.entry(node.op.name().to_string()).or_insert(0) += 1;
        }
        let names = nodes.iter().map(|node| node.name.clone());
        made.push(SegmentReport {
            name: segment.name.clone(),
            device: segment.device,
            nodes: segment.node_count(graph),
            operators,
            node_names: if segment.device == Device::Cpu { names.collect() } else { vec![] },
            why: segment.why.clone(),
            bytes_in: sum(&inputs)?,
            bytes_out: sum(&own)?,
            bytes_past: sum(&past)?,
            multiply_adds: nodes.iter().map(|node| multiply_adds(graph, node)).sum(),
            requantizations: nodes.iter().filter(|node| node.op.requantizes()).count(),
            binary_bytes: binary_bytes(bundle, segment)?,
        });
    }
    Ok(made)
}

impl SegmentReport {
    /// One line for a terminal.
    pub fn line(&self) -> String {
        let device = if self.device == Device::Npu { "NPU" } else { "CPU" };
        let counts: Vec<String> = self.operators.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let why = if self.why.is_empty() { String::new() } else { format!("; {}", self.why.join(", ")) };
        format!(
            "{} on the {device}: {}; {} in, {} out, {} past it{why}",
            self.name,
            counts.join(", "),
            bytes(self.bytes_in),
            bytes(self.bytes_out),
            bytes(self.bytes_past),
        )
    }
}
