//! Partitions: the graphs of a program, with their inputs and outputs.
//!
//! A partition is a frozen graph whose inputs and outputs (ports) have roles. Normally it becomes one context binary.
//! Ports with the same encoding key share one encoding in all partitions, so that a value that is handed from one
//! partition to the next, or from one step to the next, is copied and never converted.

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
    /// Ports with the same key have the same encoding. It is empty for ports that are tied to no other, such as
    /// indices.
    pub encoding_key: String,
    /// The smallest and the largest real number, if they are known without calibration.
    pub range: Option<[f32; 2]>,
    /// What its role means. The program file states this once for all ports of a role.
    #[serde(skip)]
    pub meaning: Meaning,
}

impl Port {
    /// A value of which nothing is known but its name: its role is `plain`, and it is tied to no other.
    pub fn plain(name: String) -> Self {
        Port { name, role: "plain".into(), encoding_key: String::new(), range: None, meaning: Meaning::default() }
    }
}

/// A graph of a program, with its inputs and outputs.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Its name: `GROUP`, or `GROUP.REST` if the group has several.
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
    /// Position of the input of this name, if there is one.
    pub fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|port| port.name == name)
    }

    /// Places of the outputs that judge it: the main ones, or all where none is.
    pub fn judged(&self) -> Vec<usize> {
        let all = 0..self.outputs.len();
        let main: Vec<usize> = all.clone().filter(|&at| self.outputs[at].meaning.main).collect();
        if main.is_empty() { all.collect() } else { main }
    }

    /// Whether a node makes a main output.
    pub(crate) fn makes_main(&self, node: &Node) -> bool {
        let mut outputs = self.outputs.iter().zip(self.graph.outputs());
        outputs.any(|(port, id)| port.meaning.main && node.outputs.contains(id))
    }

    /// Number of nodes that compute or move something; a change of encoding is not a node in the emitted models.
    pub fn node_count(&self) -> usize {
        self.graph.nodes().iter().filter(|node| !node.op.requantizes()).count()
    }
}
