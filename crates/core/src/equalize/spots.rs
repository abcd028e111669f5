//! Spots: values whose channels can be scaled. The node that makes such a value takes the factors into its constants,
//! and every node that reads it takes their inverse into its weights.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Ask, Linear, Want};
use crate::ir::ops::{InputKind, Rows};
use crate::ir::{Constant, Graph, Op, ValueId};
use crate::passes::Frozen;
use crate::passes::fold_scales;
use crate::passes::rewrite::Links;
use crate::program::Group;
use autoneural_base::error::{Error, Result};

/// Values that are scaled alike, because they share the constants that take the factors.
pub(crate) struct Spot {
    /// Names of the values, and how each is cut into rows of channels.
    pub sites: BTreeMap<String, Rows>,
    /// Number of channels.
    pub channels: usize,
    /// Constants of the nodes that make the values, with the axis of their channels.
    pub makers: BTreeMap<String, usize>,
    /// Weights of the nodes that read them, with the axis of their input channels.
    pub readers: BTreeMap<String, usize>,
}

impl Spot {
    /// The requests for evidence of a kind about the values.
    pub(crate) fn asks(&self, group: &Group, want: Want) -> impl Iterator<Item = Ask> {
        self.sites.iter().map(move |(site, rows)| Ask::new(group, site, want, rows))
    }
}

/// What two values must have in common to be one spot: their makers and readers.
type Sharing = (BTreeMap<String, usize>, BTreeMap<String, usize>);

/// The spots of the graphs of a group, and the constants of these graphs.
pub(crate) struct Spots {
    /// In the order of the first graph that has them.
    pub all: Vec<Spot>,
    /// The constants of the graphs, by name.
    pub constants: BTreeMap<String, Constant>,
}

/// How often each value is read, by name. Nothing outside a spot may read the constants that take its factors.
type Reads = BTreeMap<String, usize>;

impl Spots {
    /// Finds the spots of a group's graphs.
    ///
    /// # Errors
    /// The graphs have no spot. The error says of the first values that linear layers read why they are none.
    pub(crate) fn find(group: &Group, graphs: &[&Frozen]) -> Result<Self> {
        let (mut constants, mut differing, mut whole) = (BTreeMap::new(), BTreeSet::new(), Reads::new());
        for graph in graphs {
            for (_, value) in graph.values() {
                let Some(constant) = value.constant() else { continue };
                let known: &mut Constant = constants.entry(value.name.clone()).or_insert_with(|| constant.clone());
                if crate::ir::Identity::of(known) != crate::ir::Identity::of(constant) {
                    differing.insert(value.name.clone());
                }
            }
            let reads = graph.nodes().iter().flat_map(|node| &node.inputs).chain(graph.outputs());
            reads.for_each(|id| *whole.entry(graph.value(*id).name.clone()).or_default() += 1);
        }
        let (mut all, mut places): (Vec<(Spot, Reads)>, BTreeMap<Sharing, usize>) = Default::default();
        let mut refused = Vec::new();
        for graph in graphs {
            let links = Links::new(graph);
            for (id, value) in graph.values() {
                let Some(found) = spot(graph, &links, id) else { continue };
                let (spot, reads) = match found {
                    Ok(found) => found,
                    Err(reason) => {
                        refused.push(format!("`{}` {reason}", value.name));
                        continue;
                    }
                };
                let next = all.len();
                let place = *places.entry((spot.makers.clone(), spot.readers.clone())).or_insert(next);
                if place == next {
                    all.push((spot, reads));
                } else {
                    let (known, count) = &mut all[place];
                    known.sites.extend(spot.sites);
                    reads.into_iter().for_each(|(name, times)| *count.entry(name).or_default() += times);
                }
            }
        }
        let mut kept = Vec::new();
        for (spot, reads) in all {
            let why_not = reads.iter().find_map(|(name, times)| match name {
                name if differing.contains(name) => Some(format!("`{name}`, which differs from graph to graph")),
                name if whole.get(name) != Some(times) => Some(format!("`{name}`, which other nodes read too")),
                _ => None,
            });
            match (why_not, spot.sites.keys().next()) {
                (Some(reason), Some(site)) => refused.push(format!("`{site}` is scaled through {reason}")),
                _ => kept.push(spot),
            }
        }
        if !kept.is_empty() {
            return Ok(Spots { all: kept, constants });
        }
        refused.sort();
        refused.dedup();
        let more = refused.len().saturating_sub(3);
        refused.truncate(3);
        if more > 0 {
            refused.push(format!("{more} more"));
        }
        let reasons = if refused.is_empty() { "no linear layer reads anything".into() } else { refused.join("; ") };
        let message = format!("has no value that could be equalized: {reasons}");
        Err(Error::input(group.name(), message).help("leave `equalize` out of the recipe of this group"))
    }
}

/// The spot of a value, and how often it reads each constant; or the reason why the value is no spot. `None` if no
/// linear layer reads the value.
fn spot(graph: &Graph, links: &Links, id: ValueId) -> Option<Result<(Spot, Reads), String>> {
    let value = graph.value(id);
    let readers = || graph.nodes().iter().filter(|node| node.inputs.contains(&id));
    let layer = |node| Linear::of(graph, node).filter(|linear| linear.data == value.name);
    if value.constant().is_some() || !value.element.is_real() || !readers().any(|node| layer(node).is_some()) {
        return None;
    }
    let found = || {
        if graph.outputs().contains(&id) {
            return Err("is an output".to_string());
        }
        let Some(maker) = fold_scales::Linear::of(graph, links, before_relu(graph, links, id)) else {
            let maker = links.maker[id.index()].map(|at| &graph.nodes()[at]);
            let maker = maker.map(|node| format!("`{}`, {}", node.name, node.op.name()));
            return Err(match maker {
                Some(maker) => format!("is made by {maker}, of which no constants take factors"),
                None => "is an input".to_string(),
            });
        };
        let (channels, rank) = (maker.channels, value.shape.len());
        let mut spot = Spot { sites: BTreeMap::new(), channels, makers: BTreeMap::new(), readers: BTreeMap::new() };
        let mut reads = Reads::new();
        for (constant, axis) in maker.constants(graph) {
            let name = &graph.value(constant).name;
            spot.makers.insert(name.clone(), axis);
            *reads.entry(name.clone()).or_default() += 1;
        }
        for node in readers() {
            let other =
                || format!("is read by `{}`, {}, which takes no factors into weights", node.name, node.op.name());
            let linear = layer(node).ok_or_else(other)?;
            let (axis, rows) = match linear.rows {
                Rows::LastAxis => (rank - 1, Rows::LastAxis),
                Rows::Windows { groups: 1, .. } => (1, CHANNELS),
                Rows::Windows { .. } => return Err(other()),
            };
            let weight = node.op.signature().position(InputKind::Weight).map(|at| graph.value(node.inputs[at]));
            let weight = weight.ok_or_else(other)?;
            let input = node.op.weight_axes(weight.shape.len()).ok_or_else(other)?.input;
            if axis != maker.axis || weight.shape.get(input) != Some(&channels) {
                return Err(format!("is read by `{}` along another axis than it is made", node.name));
            }
            spot.sites.insert(value.name.clone(), rows);
            spot.readers.insert(linear.weight.clone(), input);
            *reads.entry(linear.weight).or_default() += 1;
        }
        Ok((spot, reads))
    };
    Some(found())
}

/// What a rectifier reads that makes the value: what is scaled by a positive factor behind it is scaled so before it.
/// The value itself where no rectifier makes it, or where others read what it reads.
fn before_relu(graph: &Graph, links: &Links, id: ValueId) -> ValueId {
    let maker = links.maker[id.index()].map(|at| &graph.nodes()[at]);
    let read = maker.filter(|node| matches!(node.op, Op::Relu(_))).map(|node| node.inputs[0]);
    read.filter(|read| links.reads[read.index()] == 1).unwrap_or(id)
}

/// The rows of a picture's channels: each pixel is one row.
const CHANNELS: Rows = Rows::Windows { kernel: [1, 1], strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
