//! A figure of each engine.

use serde::{Deserialize, Serialize};

/// One figure per engine; none where the engine did not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// The quantized model on the CPU.
    pub simulated: Option<f64>,
    /// The context binary.
    pub npu: Option<f64>,
}

impl Columns {
    /// The NPU's figure where there is one, else that of the simulation.
    pub fn best(&self) -> Option<f64> {
        self.npu.or(self.simulated)
    }
}
