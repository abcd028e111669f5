//! Rotation of a residual stream: the value that runs through a network of blocks, to which each of them adds, is rotated
//! by a Hadamard transform. Few channels with numbers far larger than all others become many with ordinary ones.

use std::collections::{BTreeMap, BTreeSet};

use super::method::{Added, Context, Equalizer};
use crate::evidence::{Ask, Linear};
use crate::ir::{Constant, Graph, Node, Op, Value, ValueId, ops};
use crate::passes::Frozen;
use crate::passes::rewrite::{Links, Rewrite};
use crate::program::Group;
use autoneural_base::error::{Error, Result};

/// Ashkboos et al., arXiv 2404.00456, section 3.1, for the residual stream: what is added to the stream is rotated in the
/// weights that make it, what reads the stream through a root-mean-square normalization is rotated back in the weights
/// behind it, and the normalization's gains move there too. What enters the graph is rotated by one product more, whose
/// weights are one number and its negative, so that integers hold them exactly. The transform covers blocks of the largest
/// power of two that divides the channels.
pub(crate) struct Hadamard;

impl Equalizer for Hadamard {
    fn name(&self) -> &'static str {
        "hadamard"
    }

    fn source(&self) -> &'static str {
        "Ashkboos et al., arXiv 2404.00456"
    }

    fn wants(&self, group: &Group, graphs: &[&Frozen]) -> Result<Vec<Ask>> {
        streams(group, graphs).map(|_| vec![])
    }

    fn adds(&self, group: &Group, graphs: &[&Frozen]) -> Added {
        let mut made = Added::default();
        for (graph, stream) in graphs.iter().zip(streams(group, graphs).unwrap_or_default()) {
            let [value, weights] = names(&graph.value(stream.entry).name);
            made.values.insert(value);
            made.weights.insert(weights);
        }
        made
    }

    fn apply(&self, graphs: &[&Frozen], context: &Context) -> Result<Vec<Frozen>> {
        let streams = streams(context.group, graphs)?;
        let mut constants: BTreeMap<String, Constant> = BTreeMap::new();
        for (graph, stream) in graphs.iter().zip(&streams) {
            for (name, role) in &stream.roles {
                if let Some(constant) = graph.find(name).and_then(|id| graph.value(id).constant()) {
                    let gains = |name: &String| graph.find(name).and_then(|id| graph.value(id).constant());
                    let rotated = || rotated(constant, role, gains, stream.block);
                    constants.entry(name.clone()).or_insert_with(rotated);
                }
            }
        }
        graphs.iter().zip(&streams).map(|(graph, stream)| stream.rewritten(graph, &constants)).collect()
    }
}

/// What a constant is to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// Weights that make something that is added to it, with the axis of their output channels.
    Writer(usize),
    /// Weights that read it behind a normalization: the axis of their input channels, and the gains.
    Reader(usize, String),
    /// Gains of a normalization, which become ones.
    Gains,
}

/// The residual stream of a graph.
struct Stream {
    /// The input that it begins with.
    entry: ValueId,
    /// Channels that are rotated together.
    block: usize,
    /// All constants around it.
    roles: BTreeMap<String, Role>,
    /// How often each of these is read there.
    reads: BTreeMap<String, usize>,
}

/// The streams of the graphs of a group, one for each.
///
/// # Errors
/// A graph has none that can be rotated; the error says what stands in the way.
fn streams(group: &Group, graphs: &[&Frozen]) -> Result<Vec<Stream>> {
    let refused = |message: String| {
        Error::input(group.name(), format!("has no residual stream that could be rotated: {message}"))
            .help("leave `equalize` out of the recipe of this group, or choose another method")
    };
    let made: Vec<Stream> = graphs.iter().map(|graph| stream(graph).map_err(refused)).collect::<Result<_>>()?;
    // A constant must be the same to all graphs, and nothing else may read it.
    let (mut roles, mut reads, mut all) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (graph, stream) in graphs.iter().zip(&made) {
        for (name, role) in &stream.roles {
            if *roles.entry(name).or_insert(role) != role {
                return Err(refused(format!("`{name}` is read in two ways")));
            }
            *reads.entry(name.clone()).or_insert(0) += stream.reads[name];
        }
        for id in graph.nodes().iter().flat_map(|node| &node.inputs) {
            *all.entry(graph.value(*id).name.clone()).or_insert(0) += 1;
        }
    }
    match reads.iter().find(|(name, count)| all.get(*name) != Some(*count)) {
        Some((name, _)) => Err(refused(format!("others read `{name}` too"))),
        None => Ok(made),
    }
}

/// The stream that begins with an input which both a normalization and a sum read.
fn stream(graph: &Graph) -> Result<Stream, String> {
    let nodes = || graph.nodes().iter();
    let is_normalized =
        |id: &ValueId| nodes().any(|node| matches!(node.op, Op::RmsNorm(_)) && node.inputs.first() == Some(id));
    let is_added = |id: &ValueId| nodes().any(|node| matches!(node.op, Op::Add(_)) && node.inputs.contains(id));
    let entry = graph.inputs().iter().copied().find(|id| is_normalized(id) && is_added(id));
    let entry = entry.ok_or("no input goes both into a root-mean-square normalization and into a sum")?;
    let channels = graph.value(entry).shape.last().copied().unwrap_or_default();
    let block = if channels == 0 { 1 } else { 1 << channels.trailing_zeros() };
    if block < 2 {
        return Err(format!("`{}` has {channels} channels, an odd number", graph.value(entry).name));
    }
    let mut walk = Walk {
        graph,
        links: Links::new(graph),
        channels,
        inside: BTreeSet::from([entry]),
        made: Stream { entry, block, roles: BTreeMap::new(), reads: BTreeMap::new() },
    };
    for node in graph.nodes().iter() {
        if node.inputs.iter().any(|id| walk.inside.contains(id)) {
            walk.visit(node)?;
        }
    }
    match graph.outputs().iter().find(|id| walk.inside.contains(id)) {
        Some(id) => Err(format!("`{}` is an output", graph.value(*id).name)),
        None => Ok(walk.made),
    }
}

/// A walk along a stream.
struct Walk<'a> {
    graph: &'a Graph,
    links: Links,
    channels: usize,
    /// The values of the stream.
    inside: BTreeSet<ValueId>,
    made: Stream,
}

impl Walk<'_> {
    /// What a node that reads the stream is to it.
    fn visit(&mut self, node: &Node) -> Result<(), String> {
        let (graph, last) = (self.graph, rank(self.graph, node) - 1);
        match &node.op {
            Op::Add(_) => {
                let others = node.inputs.iter().filter(|id| !self.inside.contains(id));
                for &other in others.collect::<Vec<_>>() {
                    self.writer(node, other)?;
                }
                self.inside.extend(&node.outputs);
            }
            Op::RmsNorm(norm) if norm.axis == last => {
                let gains = node.inputs.get(1).map(|&id| graph.value(id)).filter(|value| value.constant().is_some());
                let gains = gains.ok_or_else(|| format!("`{}` has gains that are no constant", node.name))?;
                self.role(&gains.name, Role::Gains)?;
                let normalized = node.outputs[0];
                if graph.outputs().contains(&normalized) {
                    return Err(format!("`{}` is an output", graph.value(normalized).name));
                }
                for reader in graph.nodes().iter().filter(|reader| reader.inputs.contains(&normalized)) {
                    self.reader(reader, normalized, &gains.name)?;
                }
            }
            Op::Gather(ops::Gather { axis })
                if *axis != last && node.inputs[1..].iter().all(|id| !self.inside.contains(id)) =>
            {
                self.inside.extend(&node.outputs);
            }
            Op::Slice(ops::Slice { axis, .. }) if *axis != last => self.inside.extend(&node.outputs),
            other => return Err(format!("`{}`, {}, reads it", node.name, other.name())),
        }
        Ok(())
    }

    /// What is added to the stream must be made by weights, for it alone.
    fn writer(&mut self, sum: &Node, id: ValueId) -> Result<(), String> {
        let (graph, value) = (self.graph, self.graph.value(id));
        let refused = |why: &str| format!("`{}` adds `{}`, which {why}", sum.name, value.name);
        let maker = self.links.maker[id.index()].map(|at| &graph.nodes()[at]);
        let maker = maker.filter(|node| matches!(node.op, Op::MatMul(_)));
        let weights = maker.and_then(|node| weight(graph, node)).ok_or_else(|| refused("no weights make"))?;
        if self.links.reads[id.index()] != 1 {
            return Err(refused("others read too"));
        }
        match maker.and_then(|node| node.op.weight_axes(weights.shape.len())).and_then(|axes| axes.output) {
            Some(axis) if weights.shape.get(axis) == Some(&self.channels) => {
                self.role(&weights.name, Role::Writer(axis))
            }
            _ => Err(refused("has other channels")),
        }
    }

    /// What reads the normalized stream must do so by weights.
    fn reader(&mut self, node: &Node, normalized: ValueId, gains: &str) -> Result<(), String> {
        let refused = || format!("`{}`, {}, reads it behind a normalization", node.name, node.op.name());
        let is_data = matches!(node.op, Op::MatMul(_)) && node.inputs.first() == Some(&normalized);
        let weights = weight(self.graph, node).filter(|_| is_data).ok_or_else(refused)?;
        let axes = node.op.weight_axes(weights.shape.len()).ok_or_else(refused)?;
        match weights.shape.get(axes.input) == Some(&self.channels) {
            true => self.role(&weights.name, Role::Reader(axes.input, gains.to_string())),
            false => Err(refused()),
        }
    }

    fn role(&mut self, name: &str, role: Role) -> Result<(), String> {
        *self.made.reads.entry(name.to_string()).or_default() += 1;
        match self.made.roles.insert(name.to_string(), role.clone()) {
            Some(known) if known != role => Err(format!("`{name}` is read in two ways")),
            _ => Ok(()),
        }
    }
}

/// The constant weights of a node.
fn weight<'a>(graph: &'a Graph, node: &Node) -> Option<&'a Value> {
    let linear = Linear::of(graph, node)?;
    graph.find(&linear.weight).map(|id| graph.value(id))
}

/// How many axes the value has that a node reads first.
fn rank(graph: &Graph, node: &Node) -> usize {
    node.inputs.first().map_or(1, |&id| graph.value(id).shape.len().max(1))
}

/// Names of what comes in, rotated, and of the weights that rotate it.
fn names(entry: &str) -> [String; 2] {
    [format!("{entry}.rotated"), format!("{entry}.rotation.weight")]
}

/// What becomes of a constant.
fn rotated<'a>(
    constant: &Constant,
    role: &Role,
    gains: impl Fn(&String) -> Option<&'a Constant>,
    block: usize,
) -> Constant {
    match role {
        Role::Writer(axis) => constant.hadamard(*axis, block),
        Role::Reader(axis, name) => match gains(name) {
            Some(gains) => constant.scaled(*axis, gains.to_f32().into()).hadamard(*axis, block),
            None => constant.hadamard(*axis, block),
        },
        Role::Gains => Constant::from_values(vec![1.0; constant.shape().iter().product()], constant.shape().clone()),
    }
}

impl Stream {
    /// The graph with a rotation behind the entry, and other constants.
    fn rewritten(&self, graph: &Frozen, constants: &BTreeMap<String, Constant>) -> Result<Frozen> {
        let entry = graph.value(self.entry);
        let channels = entry.shape.last().copied().unwrap_or_default();
        let mut rewrite = Rewrite::new(graph)?;
        let mut identity = vec![0f32; channels * channels];
        (0..channels).for_each(|at| identity[at * channels + at] = 1.0);
        let matrix = Constant::from_values(identity, vec![channels, channels]).hadamard(1, self.block);
        let [name, of_matrix] = names(&entry.name).map(|name| rewrite.free(name));
        let matrix = rewrite.new.constant(of_matrix, matrix)?;
        let input = rewrite.get(self.entry)?;
        let made = rewrite.new.node(name, ops::MatMul, &[input, matrix])?;
        rewrite.set(self.entry, made);
        rewrite.replace_constants(constants)?;
        graph.nodes().iter().try_for_each(|node| rewrite.copy(node))?;
        Frozen::new(rewrite.finish()?)
    }
}
