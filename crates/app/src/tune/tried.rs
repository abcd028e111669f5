//! What measurements found of a choice.

use serde::{Deserialize, Serialize};

/// What was found of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tried {
    /// Noise at the layer's own output, as a share of the signal's power.
    pub local: f64,
    /// Noise at the outputs of the graph.
    pub noise: f64,
}
