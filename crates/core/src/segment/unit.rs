//! One segment: where it is carried out, and which nodes it has.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::ir::{Graph, ValueId};

/// Where nodes are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// In a context binary on the NPU.
    Npu,
    /// As an ONNX model, by ONNX Runtime's CPU provider.
    Cpu,
}

/// Nodes of a partition that are carried out in one go.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The partition's name where it is the only one, with its number behind it otherwise: `encoder.0`, `encoder.1`, ….
    pub name: String,
    /// Where it runs.
    pub device: Device,
    /// Its nodes, by their place in the graph's order.
    pub nodes: Range<usize>,
    /// Values that it reads and does not make.
    pub inputs: Vec<ValueId>,
    /// Values that it makes and others read.
    pub outputs: Vec<ValueId>,
    /// On the CPU: why the NPU does not take its nodes, each reason once.
    pub why: Vec<String>,
}

impl Segment {
    /// The file of a bundle that carries it out: a context model on the NPU, a quantized model on the CPU.
    pub fn file(&self) -> String {
        match self.device {
            Device::Npu => format!("context/{}.onnx", self.name),
            Device::Cpu => self.quantized_file(),
        }
    }

    /// The quantized model of its nodes in a bundle.
    pub fn quantized_file(&self) -> String {
        format!("qdq/{}.onnx", self.name)
    }

    /// Its nodes that compute or move something, as [`Partition::node_count`] counts them.
    pub fn node_count(&self, graph: &Graph) -> usize {
        graph.nodes()[self.nodes.clone()].iter().filter(|node| !node.op.requantizes()).count()
    }
}

/// Whether these segments are the normal case: everything in one context binary.
pub fn is_whole(segments: &[Segment]) -> bool {
    matches!(segments, [Segment { device: Device::Npu, .. }])
}
