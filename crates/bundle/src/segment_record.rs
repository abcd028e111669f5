//! Segments in the manifest: what a runtime loads for a partition, in order, and what goes from one to the next.

use serde::{Deserialize, Serialize};

use autoneural_base::error::Result;
use autoneural_core::ir::ValueId;
use autoneural_core::partition::Partition;
use autoneural_core::quantize::Table;
use autoneural_core::segment::{Device, Segment, is_whole};

/// A part of a partition that is run in one go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// Name of the segment.
    pub name: String,
    /// Where it runs.
    pub device: Device,
    /// Its model in the bundle: a context model (there once `build` has run), or a quantized model for the CPU.
    pub file: String,
    /// What it reads: inputs of the partition and outputs of segments before it, by name.
    pub inputs: Vec<CrossingRecord>,
    /// What it makes: outputs of the partition and inputs of segments behind it.
    pub outputs: Vec<CrossingRecord>,
}

/// A tensor at the border of a segment, with its encoding.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CrossingRecord {
    /// Name of the tensor, the same wherever it crosses.
    pub name: String,
    /// Its integers.
    pub dtype: String,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// `real = (integer - zero_point) * scale`; `None` for positions.
    pub scale: Option<f32>,
    /// The integer that stands for 0.0.
    pub zero_point: Option<i64>,
}

impl SegmentRecord {
    /// The segments of a partition in order; empty if all of it is one context binary.
    ///
    /// # Errors
    /// The table belongs to another graph.
    pub fn all(partition: &Partition, table: &Table, segments: &[Segment]) -> Result<Vec<Self>> {
        if is_whole(segments) {
            return Ok(vec![]);
        }
        let crossings = |ids: &[ValueId]| -> Result<Vec<_>> {
            ids.iter().map(|&id| CrossingRecord::new(partition, table, id)).collect()
        };
        let record = |segment: &Segment| {
            Ok(SegmentRecord {
                name: segment.name.clone(),
                device: segment.device,
                file: segment.file(),
                inputs: crossings(&segment.inputs)?,
                outputs: crossings(&segment.outputs)?,
            })
        };
        segments.iter().map(record).collect()
    }
}

impl CrossingRecord {
    fn new(partition: &Partition, table: &Table, id: ValueId) -> Result<Self> {
        let value = partition.graph.value(id);
        let encoding = table.activations.get(&value.name);
        Ok(CrossingRecord {
            name: value.name.clone(),
            dtype: table.integer_of(value)?.name().to_string(),
            shape: value.shape.clone(),
            scale: encoding.map(|encoding| encoding.scale[0]),
            zero_point: encoding.map(|encoding| encoding.zero_point[0]),
        })
    }
}
