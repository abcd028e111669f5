//! Which engines make golden vectors.

use serde::{Deserialize, Serialize};

use autoneural_engines::engine::EngineKind;

/// The engines that make golden vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GoldenExtent {
    /// None.
    None,
    /// The simulation.
    Simulated,
    /// The simulation and the NPU.
    Npu,
}

impl GoldenExtent {
    /// The engines, those that are missing among them.
    pub fn engines(self) -> &'static [EngineKind] {
        match self {
            GoldenExtent::None => &[],
            GoldenExtent::Simulated => &[EngineKind::Simulated],
            GoldenExtent::Npu => &[EngineKind::Simulated, EngineKind::Npu],
        }
    }
}
