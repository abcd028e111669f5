//! What was found of a partition.

use serde::{Deserialize, Serialize};

use super::basis::Basis;
use super::cause::WeakOutput;
use super::layers::LayerReport;
use super::outputs::OutputReport;
use super::segments::SegmentReport;
use crate::as_built::FrozenReport;
use crate::verify::{StepAt, StepsCompared};
use autoneural_base::error::Result;
use autoneural_bundle::Bundle;
use autoneural_core::partition::Partition;
use autoneural_core::quantize::Counts;
use autoneural_core::segment::{Device, Segment};
use autoneural_engines::back::qnn::{FloatNode, Layout, Runtime};

/// What was found of one partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionReport {
    /// Name of the partition.
    pub name: String,
    /// Nodes of the graph that compute or move something.
    pub nodes: usize,
    /// How many of them are in context binaries; `None` without those.
    pub npu_nodes: Option<usize>,
    /// How many of them the CPU carries out, because the NPU does not take them or the border is smaller so.
    #[serde(default)]
    pub cpu_nodes: usize,
    /// What the NPU computes in 16-bit floating point and not in integers, as its provider laid the graph out; `None`
    /// where that was not noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_fp16: Option<Vec<FloatNode>>,
    /// Bits, such as W8A16.
    pub weights: String,
    /// Where its encodings are from.
    pub encodings: Counts,
    /// How far its graph is from the checkpoint; `None` if that was not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<FrozenReport>,
    /// How many steps were compared.
    #[serde(default)]
    pub steps: StepsCompared,
    /// Size of the context binaries.
    pub binary_bytes: Option<u64>,
    /// How it is carried out; empty where all of it is one context binary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentReport>,
    /// One entry per output.
    pub outputs: Vec<OutputReport>,
    /// One entry per layer in the graph's order; empty where layers were not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerReport>,
    /// The one step that the figures of layers are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_step: Option<StepAt>,
    /// Outputs that miss their goal, or the weakest where none is stated, with what their noise comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weak: Vec<WeakOutput>,
    /// What the figures were measured on; `None` in a report of a version that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// How many nodes of a partition are in its context binaries; `None` if one of these is missing.
///
/// # Errors
/// A context model cannot be read.
pub fn npu_nodes(bundle: &Bundle, partition: &Partition, segments: &[Segment]) -> Result<Option<usize>> {
    let mut count = 0;
    for segment in segments.iter().filter(|segment| segment.device == Device::Npu) {
        if !bundle.has_file(&segment.file()) {
            return Ok(None);
        }
        let outside = Runtime::nodes_outside(&bundle.path(segment.file()))?;
        count += segment.node_count(&partition.graph).saturating_sub(outside);
    }
    Ok(Some(count))
}

/// What of a partition's context binaries is computed in 16-bit floating point; `None` if that was not noted for all of
/// them.
///
/// # Errors
/// A file of the bundle is damaged.
pub fn in_fp16(bundle: &Bundle, segments: &[Segment]) -> Result<Option<Vec<FloatNode>>> {
    let mut made = Vec::new();
    for segment in segments.iter().filter(|segment| segment.device == Device::Npu) {
        let file = Layout::file(segment.file().as_ref()).display().to_string();
        if !bundle.has_file(&file) {
            return Ok(None);
        }
        made.extend(bundle.json::<Layout>(&file)?.in_float);
    }
    Ok(Some(made))
}

/// How many nodes of a partition are in segments on the CPU.
pub fn cpu_nodes(partition: &Partition, segments: &[Segment]) -> usize {
    let on_cpu = segments.iter().filter(|segment| segment.device == Device::Cpu);
    on_cpu.map(|segment| segment.node_count(&partition.graph)).sum()
}
