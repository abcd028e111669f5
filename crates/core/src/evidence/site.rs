//! Sites: the values of a program about which evidence can be collected, and the requests for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ValueClass;
use crate::ir::ops::{InputKind, Rows};
use crate::ir::{Graph, Node, Shape};
use crate::partition::Partition;
use crate::program::Group;

/// A value that is computed. In all graphs of a group, values of one name are one site.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// The group of graphs that have it.
    pub group: Group,
    /// Name of the value.
    pub name: String,
    /// Its shape in the first of these graphs; in another one it may have more or fewer tokens.
    pub shape: Shape,
    /// What it is.
    pub class: ValueClass,
    /// The linear layers that read it.
    pub readers: Vec<Linear>,
}

/// A node that multiplies a value with a weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linear {
    /// Name of its graph.
    pub graph: String,
    /// Name of the node.
    pub node: String,
    /// Name of the value.
    pub data: String,
    /// Name of the weight, which nodes may share.
    pub weight: String,
    /// How the value is cut into the rows that are multiplied with the weight: one sum runs over one row.
    pub rows: Rows,
}

impl Linear {
    /// A node as linear layer; `None` if it does not multiply data with a constant weight.
    pub fn of(graph: &Graph, node: &Node) -> Option<Self> {
        let signature = node.op.signature();
        let input = |kind| Some(graph.value(*node.inputs.get(signature.position(kind)?)?));
        let (data, weight) = (input(InputKind::Data)?, input(InputKind::Weight)?);
        weight.constant()?;
        Some(Linear {
            graph: graph.name.clone(),
            node: node.name.clone(),
            data: data.name.clone(),
            weight: weight.name.clone(),
            rows: node.op.rows(&weight.shape)?,
        })
    }
}

/// Kinds of evidence that a method can request about a site. Nothing is collected that was not requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// The smallest and the largest number: [`super::MinMax`].
    Range,
    /// How often numbers of each size occurred: [`super::Histogram`].
    Histogram,
    /// The mean of each column of its rows, for each group of channels: [`super::Means`].
    Means,
    /// The largest magnitude of each column of its rows, for each group of channels: [`super::Peaks`].
    Peaks,
    /// Sums of the products of every two columns of its rows, for each group of channels: [`super::SecondMoments`].
    SecondMoments,
}

impl std::fmt::Display for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Want::Range => "range",
            Want::Histogram => "histogram",
            Want::Means => "means",
            Want::Peaks => "peaks",
            Want::SecondMoments => "second moments",
        })
    }
}

/// A request for one kind of evidence about one site. Code that collects or reads evidence finds it by this.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ask {
    /// The group of the site.
    pub group: Group,
    /// Name of the value.
    pub site: String,
    /// The kind of evidence.
    pub want: Want,
    /// How the value is cut into rows. For a range and a histogram, which know no rows, this is always
    /// [`Rows::LastAxis`].
    pub rows: Rows,
}

impl Ask {
    /// A request. `rows` are ignored for a range and a histogram.
    pub fn new(group: &Group, site: &str, want: Want, rows: &Rows) -> Self {
        let rows = match want {
            Want::Range | Want::Histogram => Rows::LastAxis,
            Want::Means | Want::Peaks | Want::SecondMoments => rows.clone(),
        };
        Ask { group: group.clone(), site: site.to_string(), want, rows }
    }
}

/// The sites of a group of graphs, in the order in which the first graph makes them, then those that only others have.
pub fn sites(partitions: &[Partition], group: &Group) -> Vec<Site> {
    let (mut made, mut places): (Vec<Site>, BTreeMap<String, usize>) = Default::default();
    for partition in partitions.iter().filter(|partition| partition.group == *group) {
        let graph = &partition.graph;
        for (id, value) in graph.values().filter(|(_, v)| v.constant().is_none() && v.element.is_real()) {
            let next = made.len();
            if *places.entry(value.name.clone()).or_insert(next) == next {
                let (name, shape) = (value.name.clone(), value.shape.clone());
                let class = ValueClass::of(partition, id);
                made.push(Site { group: group.clone(), name, shape, class, readers: vec![] });
            }
        }
        for node in graph.nodes() {
            if let Some(linear) = Linear::of(graph, node)
                && let Some(&place) = places.get(&linear.data)
            {
                made[place].readers.push(linear);
            }
        }
    }
    made
}
