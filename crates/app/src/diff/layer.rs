//! What is found of a layer.

use serde::Serialize;

use super::causes::Cause;

/// A figure of each engine.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Figures {
    /// In simulation.
    pub simulated: Option<f64>,
    /// On the NPU.
    pub npu: Option<f64>,
}

/// A value of the network, and the operator that makes it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Layer {
    /// Name of the value in the float model.
    pub name: String,
    /// Name of the node in the quantized model.
    pub node: String,
    /// The operator.
    pub op: String,
    /// Its integer type; `None` if it has none.
    pub integer: Option<&'static str>,
    /// SQNR against float, with the engine's own values before it, in dB.
    pub so_far_db: Figures,
    /// SQNR of this operator alone, on the float model's values, in dB.
    pub alone_db: Figures,
    /// SQNR that its integers allow, in dB.
    pub expected_db: Option<f64>,
    /// Noise that this operator adds, as a share of its signal's root mean square, in percent, on the chosen engine.
    pub added_percent: Option<f64>,
    /// Share of float numbers outside the encoding's range, in percent.
    pub saturation_percent: Option<f64>,
    /// Share of the encoding's range that float numbers use, in percent.
    pub range_use_percent: Option<f64>,
    /// What the NPU's compiler said, where it does not take the operator.
    pub refused: Option<String>,
    /// Why it is wrong, where it is.
    pub fault: Option<Cause>,
}

/// The outputs of the network as it is compiled, with no other value among its outputs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Compiled {
    /// The outputs that have a counterpart.
    pub outputs: Vec<CompiledOutput>,
    /// Why it was not compiled as a whole, in the words of who refused it.
    pub refused: Option<String>,
    /// How many parts of the network were compiled to find where it goes wrong.
    pub searched: usize,
}

/// An output of the network as it is compiled.
#[derive(Debug, Clone, Serialize)]
pub struct CompiledOutput {
    /// Its name in the float model.
    pub name: String,
    /// SQNR against float, in dB.
    pub compiled_db: f64,
    /// The same where every value on the way is an output.
    pub in_parts_db: Option<f64>,
}

/// What `diff` found.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// The engine that was compared with float.
    pub on: &'static str,
    /// The float model.
    pub float: String,
    /// The quantized model.
    pub quantized: String,
    /// The sample, or what was made up in its place.
    pub input: String,
    /// SQNR below which an operator is wrong, where its integers allow more, in dB.
    pub floor_db: f64,
    /// Number of operators that have no counterpart in the float model.
    pub unpaired: usize,
    /// Number of operators that were not compared, as one before them is wrong.
    pub left: usize,
    /// The outputs of the network as it is compiled; `None` in simulation.
    pub compiled: Option<Compiled>,
    /// Names of the values of operators that are wrong, in order.
    pub faults: Vec<String>,
    /// The layers, in order.
    pub layers: Vec<Layer>,
}

impl Diff {
    /// Layers that are wrong, in order.
    pub fn broken(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|layer| layer.fault.is_some())
    }
}
