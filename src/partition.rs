//! Partitions: what one context binary holds, and what crosses its border.
//!
//! A partition is a lowered graph whose inputs and outputs have roles. Ports with the same
//! encoding key share one encoding wherever they stand, so that a value handed from one partition to the next, or from
//! one step to the next, is copied and never converted.

use serde::{Deserialize, Serialize};

use crate::ir::Graph;
use crate::program::Group;

/// Names of the partitions that a model may have.
pub const NAMES: [&str; 4] = ["vision", "projector", "language.prefill", "language.decode"];

/// What a value that crosses the border is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Preprocessed pixels.
    Image,
    /// Visual features.
    Features,
    /// Token embeddings, of text or of an image.
    Embeddings,
    /// Cosines or sines of the rotary embedding.
    Rotary,
    /// Additive attention mask.
    Mask,
    /// Positions; plain int32 without encoding.
    Index,
    /// Keys, stored transposed: `[1, heads, head size, tokens]`.
    Keys,
    /// Values: `[1, heads, tokens, head size]`.
    Values,
    /// Last columns of a short convolution's input.
    ConvState,
    /// Scores over the vocabulary.
    Logits,
    /// A value from inside, which leaves only while layers are measured.
    Inside,
}

/// A graph input or output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Name of the value.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Ports with the same key have the same encoding. Empty for indices.
    pub encoding_key: String,
    /// Range in float if it is known without calibration.
    pub range: Option<[f32; 2]>,
}

/// One graph that becomes one context binary.
#[derive(Debug, Clone)]
pub struct Partition {
    /// One of [`NAMES`].
    pub name: String,
    /// The group it belongs to.
    pub group: Group,
    /// The lowered graph.
    pub graph: Graph,
    /// One port per graph input, in order.
    pub inputs: Vec<Port>,
    /// One port per graph output, in order.
    pub outputs: Vec<Port>,
}

impl Partition {
    /// Position of the input of this name.
    pub fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|port| port.name == name)
    }

    /// Number of nodes that compute or move something; [`crate::ir::Op::Requantize`] is a change of encoding, not a node
    /// of the emitted models.
    pub fn node_count(&self) -> usize {
        self.graph.nodes().iter().filter(|node| node.op != crate::ir::Op::Requantize).count()
    }
}
