//! Partitions: what one context binary holds, and what crosses its border.
//!
//! A partition is a frozen graph whose inputs and outputs have roles. Ports with the same
//! encoding key share one encoding wherever they stand, so that a value handed from one partition to the next, or from
//! one step to the next, is copied and never converted.

use serde::{Deserialize, Serialize};

use super::group::Group;
use super::meaning::Meaning;
use crate::ir::Node;
use crate::passes::Frozen;

/// A graph input or output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Name of the value.
    pub name: String,
    /// What it is for, in the driver's words.
    pub role: String,
    /// Ports with the same key have the same encoding. Empty for indices.
    pub encoding_key: String,
    /// Range in float if it is known without calibration.
    pub range: Option<[f32; 2]>,
    /// What its role means; the program says that once for all ports of the role.
    #[serde(skip)]
    pub meaning: Meaning,
}

impl Port {
    /// A value of which nothing is known but its name: its role is `plain`, and it is tied to no other.
    pub fn plain(name: String) -> Self {
        Port { name, role: "plain".into(), encoding_key: String::new(), range: None, meaning: Meaning::default() }
    }
}

/// One graph that becomes one context binary.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Its name: that of its group, alone or with `.` and a name of its own behind it.
    pub name: String,
    /// The group it belongs to.
    pub group: Group,
    /// The graph, which never changes again.
    pub graph: Frozen,
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

    /// Whether a node makes a main output.
    pub fn makes_main(&self, node: &Node) -> bool {
        let mut outputs = self.outputs.iter().zip(self.graph.outputs());
        outputs.any(|(port, id)| port.meaning.main && node.outputs.contains(id))
    }

    /// Number of nodes that compute or move something; a change of encoding is no node of the emitted models.
    pub fn node_count(&self) -> usize {
        self.graph.nodes().iter().filter(|node| !node.op.requantizes()).count()
    }
}
