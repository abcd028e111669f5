//! What was found of single layers: one entry per tensor that an operator of a partition makes.
//!
//! Verification fills it from runs in which intermediate tensors are outputs; what was not measured is none.

use serde::{Deserialize, Serialize};

use super::columns::Columns;

/// What was found of one layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerReport {
    /// Name of the tensor that the layer makes, as in `encodings/*.json`.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Signal to quantization noise ratio of that tensor against the float reference, in dB.
    #[serde(default)]
    pub sqnr_db: Columns,
    /// Noise that this layer adds to that of the worst of its inputs, as a share of the signal's root mean square, in
    /// percent.
    #[serde(default)]
    pub added_percent: Columns,
    /// Share of elements that the float reference has outside the encoding's range, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturation_percent: Option<f64>,
    /// Share of the encoding's range that the float reference uses, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range_use_percent: Option<f64>,
    /// How the numbers lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// Bits of weights and activations, such as W8A16, or A16 without weights.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bits: String,
}

/// How many numbers lie in each of as many equal parts of a range.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Lower end of the range.
    pub low: f32,
    /// Upper end of the range.
    pub high: f32,
    /// Numbers of the float reference.
    pub float: Vec<u32>,
    /// Numbers of the quantized model: on the NPU where that was measured, else simulated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantized: Vec<u32>,
}
