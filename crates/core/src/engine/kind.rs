//! The kinds of engines.

/// An engine that a model can run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The float models, in tract.
    Float,
    /// The quantized models, on ONNX Runtime's CPU provider.
    Simulated,
    /// The context binaries, on the NPU or its emulator.
    Npu,
}

impl EngineKind {
    /// Name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Float => "float",
            EngineKind::Simulated => "simulated",
            EngineKind::Npu => "npu",
        }
    }
}
