//! From graphs to recipes: which operator reads a tensor decides what it is, and how large numbers are where they meet
//! it decides how large it may be.
//!
//! A walk in the order of the graph keeps an estimate of the root mean square of every value. Each weight is scaled so
//! that what it makes has the size that its place wants: 1 before an activation or a normalization, a share of the
//! residual stream at the end of a branch, and so on. So numbers stay bounded in a network of any depth.

use std::collections::{BTreeMap, HashSet};

use super::random::exp;
use super::recipe::{self, Kind, Outlier, Recipe};
use autoneural_core::ir::ops::InputKind;
use autoneural_core::ir::{Constant, Graph, Node, Op, ValueId};
use autoneural_core::segment::multiply_adds;
use autoneural_front::Model;

/// Root mean square of an image's numbers before the encoder.
const IMAGE: f64 = 0.5;
/// What averaging over tokens leaves of the values of an attention.
const ATTENTION: f64 = 0.5;

/// Recipes by the place that [`Constant::start`] tells.
pub(crate) struct Walk {
    recipes: BTreeMap<usize, Recipe>,
    outliers: Vec<Outlier>,
    width: usize,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// It ends a residual branch; `skip` is what it is added to. Whether a layer scale comes between.
    Branch { skip: ValueId, scaled: bool },
    /// A normalization takes its size away.
    Normalized,
    /// It is a query or a key.
    Score,
    /// It is the graph's first output.
    Output,
    /// Anything else.
    Other,
}

/// What is known of one graph during the walk.
struct Place<'a> {
    graph: &'a Graph,
    readers: Vec<Vec<usize>>,
    /// Root mean square by value, without outlier channels; what no estimate reaches is `None`.
    sizes: Vec<Option<f64>>,
    /// What outlier channels add to the mean square, by value.
    excess: Vec<f64>,
    /// Values of the language model's residual stream.
    stream: HashSet<ValueId>,
    /// Size that the first output is to have, and whether it is the beginning of the residual stream.
    output: (f64, bool),
}

/// Recipes for the tensors of a model.
pub(crate) fn recipes(model: &Model, seed: u64) -> BTreeMap<usize, Recipe> {
    let width = model.embeddings.shape()[1];
    let mut walk = Walk { recipes: BTreeMap::new(), outliers: recipe::outliers(seed, width), width };
    let table = 1.0 / (width as f64).sqrt();
    let columns = recipe::with_factor(&walk.outliers, recipe::EMBEDDED_OUTLIER);
    walk.assign(&model.embeddings, || Recipe::new(Kind::Table, table, recipe::ROW_SPREAD).with(columns));
    if let Some(sight) = &model.sight {
        let features = walk.graph(&sight.vision, IMAGE, (1.0, false), false);
        walk.graph(&sight.projector, features, (table, true), false);
    }
    walk.graph(&model.prefill, table, (recipe::LOGITS, false), true);
    walk.recipes
}

impl Walk {
    /// Gives a tensor its recipe unless it has one; gives the size of its numbers.
    fn assign(&mut self, constant: &Constant, make: impl FnOnce() -> Recipe) -> f64 {
        match constant.start() {
            Some(start) => self.recipes.entry(start).or_insert_with(make).size(),
            None => root_mean_square(&constant.to_f32()),
        }
    }

    fn known(&self, constant: &Constant) -> Option<&Recipe> {
        self.recipes.get(&constant.start()?)
    }

    /// Walks through a graph whose first input has this size; gives the size of the first output.
    fn graph(&mut self, graph: &Graph, input: f64, output: (f64, bool), has_stream: bool) -> f64 {
        let count = graph.values().count();
        let mut place = Place {
            graph,
            readers: vec![vec![]; count],
            sizes: vec![None; count],
            excess: vec![0.0; count],
            stream: HashSet::new(),
            output,
        };
        for (position, node) in graph.nodes().iter().enumerate() {
            node.inputs.iter().for_each(|input| place.readers[input.index()].push(position));
        }
        place.sizes[graph.inputs()[0].index()] = Some(input);
        if has_stream {
            place.stream.insert(graph.inputs()[0]);
            let embedded = recipe::with_factor(&self.outliers, recipe::EMBEDDED_OUTLIER);
            place.excess[graph.inputs()[0].index()] = self.excess(&embedded, input);
        }
        for node in graph.nodes() {
            let size = self.node(&place, node);
            let keeps = node.op.moves_data_only() || matches!(node.op, Op::Add(_));
            let in_stream = keeps && node.inputs.iter().any(|input| place.stream.contains(input));
            let excess = match &node.op {
                op if op.signature().has_weights() && place.writes_stream(node) => {
                    self.excess(&self.outliers, size.unwrap_or(1.0))
                }
                _ if keeps => node.inputs.iter().map(|input| place.excess[input.index()]).sum(),
                _ => 0.0,
            };
            for output in &node.outputs {
                place.sizes[output.index()] = size;
                place.excess[output.index()] = excess;
                if in_stream {
                    place.stream.insert(*output);
                }
            }
        }
        place.sizes[graph.outputs()[0].index()].unwrap_or(1.0)
    }

    /// Gives the node's tensors their recipes; gives the size of its outputs.
    fn node(&mut self, place: &Place, node: &Node) -> Option<f64> {
        let size = |position: usize| place.sizes[node.inputs[position].index()];
        let known = |position: usize| size(position).unwrap_or(1.0);
        match &node.op {
            op if op.signature().has_weights() && place.constant(node, 1).is_some() => Some(self.product(place, node)),
            Op::MatMul(_) => Some(known(0) * known(1)),
            op if is_normalization(op) => Some(self.normalization(place, node)),
            Op::Mul(_) => Some(match (place.constant(node, 0), place.constant(node, 1)) {
                (None, None) => known(0) * known(1),
                (first, second) => {
                    let (median, spread) = recipe::LAYER_SCALE;
                    let factor = first
                        .or(second)
                        .map_or(1.0, |constant| self.assign(constant, || Recipe::new(Kind::Gains, median, spread)));
                    factor * known(if first.is_some() { 1 } else { 0 })
                }
            }),
            Op::Add(_) => Some(match place.constant(node, 1) {
                None => (known(0) * known(0) + known(1) * known(1)).sqrt(),
                Some(constant) => {
                    let added = self.added(place, node, constant, known(0));
                    (known(0) * known(0) + added * added).sqrt()
                }
            }),
            Op::Gelu(_) => Some(activated(known(0), &|x| x * sigmoid(1.702 * x))),
            Op::Silu(_) => Some(activated(known(0), &|x| x * sigmoid(x))),
            Op::Sigmoid(_) => Some(activated(known(0), &sigmoid)),
            Op::Attention(_) => Some(ATTENTION * known(2)),
            Op::Concat(_) => {
                let sizes: Vec<f64> = (0..node.inputs.len()).filter_map(size).collect();
                let mean = root_mean_square(&sizes.iter().map(|&size| size as f32).collect::<Vec<_>>());
                for position in 0..node.inputs.len() {
                    if let Some(constant) = place.constant(node, position) {
                        self.assign(constant, || Recipe::new(Kind::Table, mean, recipe::ROW_SPREAD));
                    }
                }
                (!sizes.is_empty()).then_some(mean)
            }
            _ => size(0),
        }
    }

    /// A convolution or matrix product with weights: scaled for what becomes of its result.
    fn product(&mut self, place: &Place, node: &Node) -> f64 {
        let (Some(weights), output) = (place.constant(node, 1), node.outputs[0]) else { return 1.0 };
        let shape = weights.shape();
        let made = place.graph.value(output).shape.iter().product::<usize>();
        let fan_in = multiply_adds(place.graph, node) as usize / made;
        let reach = place.sizes[node.inputs[0].index()].unwrap_or(1.0) * (fan_in as f64).sqrt();
        let fate = place.fate(output);
        let target = place.target(fate);
        let spread = if node.op.is_depthwise(shape) { recipe::DEPTHWISE_SPREAD } else { recipe::CHANNEL_SPREAD };
        let outliers = if place.writes_stream(node) { self.outliers.clone() } else { vec![] };
        let scale = self.assign(weights, || Recipe::new(Kind::Matrix, target / reach, spread).with(outliers));
        let made = scale * reach;
        match place.constant(node, 2) {
            Some(bias) => {
                let bias = self.assign(bias, || Recipe::new(Kind::Offsets, recipe::BIAS * made, 0.0));
                (made * made + bias * bias).sqrt()
            }
            None => made,
        }
    }

    /// A constant that is added: a bias, or one number for every place.
    fn added(&mut self, place: &Place, node: &Node, constant: &Constant, size: f64) -> f64 {
        let shape = constant.shape();
        if shape.iter().product::<usize>() != shape.iter().copied().max().unwrap_or(1) {
            return self.assign(constant, || Recipe::new(Kind::Table, 0.5 * size, recipe::ROW_SPREAD));
        }
        let begins_stream = place.output.1 && place.fate(node.outputs[0]) == Fate::Output;
        let factor = recipe::EMBEDDED_OUTLIER / recipe::BIAS;
        let outliers = if begins_stream { recipe::with_factor(&self.outliers, factor) } else { vec![] };
        self.assign(constant, || Recipe::new(Kind::Offsets, recipe::BIAS * size, 0.0).with(outliers))
    }

    /// A normalization: what it makes has the size of its gains, but for the share that outlier channels take.
    fn normalization(&mut self, place: &Place, node: &Node) -> f64 {
        let Some(gamma) = place.constant(node, 1) else { return 1.0 };
        let of_stream = place.stream.contains(&node.inputs[0]);
        let head = place.head(node.outputs[0]);
        let gain = if head.is_some() { recipe::LAST_OUTLIER_GAIN } else { recipe::OUTLIER_GAIN };
        let (size, excess) = (place.sizes[node.inputs[0].index()], place.excess[node.inputs[0].index()]);
        let square = size.map_or(1.0, |size| size * size);
        // Outlier channels leave less of the size 1 to the others, and come out with less themselves.
        let share = ((square + gain * gain * excess) / (square + excess)).sqrt();
        let (mut scale, spread) = match place.fate(node.outputs[0]) {
            Fate::Score => (recipe::SCORE_GAIN, recipe::GAIN_SPREAD),
            _ => (1.0, recipe::GAIN_SPREAD),
        };
        // The head is tied to the table, which has its size: the logits get theirs here.
        if let Some(table) = head.and_then(|head| self.known(head)) {
            scale = recipe::LOGITS / (table.size() * (self.width as f64).sqrt() * share);
        }
        let outliers = if of_stream { recipe::with_factor(&self.outliers, gain) } else { vec![] };
        let size = self.assign(gamma, || Recipe::new(Kind::Gains, scale, spread).with(outliers));
        if let Some(bias) = place.constant(node, 2) {
            self.assign(bias, || Recipe::new(Kind::Offsets, recipe::BIAS * size, 0.0));
        }
        size * share
    }

    /// What outlier channels add to the mean square of a residual stream whose other channels have this size.
    fn excess(&self, outliers: &[Outlier], size: f64) -> f64 {
        let squares: f64 = outliers.iter().map(|outlier| outlier.factor * outlier.factor).sum();
        squares * size * size / self.width as f64
    }
}

impl<'a> Place<'a> {
    fn constant(&self, node: &Node, position: usize) -> Option<&'a Constant> {
        self.graph.value(*node.inputs.get(position)?).constant()
    }

    /// Whether a product ends a branch of the language model's residual stream.
    fn writes_stream(&self, node: &Node) -> bool {
        matches!(self.fate(node.outputs[0]), Fate::Branch { skip, .. } if self.stream.contains(&skip))
    }

    /// Size that a value of this fate is to have.
    fn target(&self, fate: Fate) -> f64 {
        match fate {
            Fate::Branch { skip, scaled } => {
                let skip = self.sizes[skip.index()].unwrap_or(1.0);
                if scaled { skip } else { recipe::BRANCH * skip }
            }
            Fate::Output => self.output.0,
            Fate::Score => recipe::SCORE_GAIN,
            Fate::Normalized | Fate::Other => 1.0,
        }
    }

    fn fate(&self, value: ValueId) -> Fate {
        if self.graph.outputs()[0] == value {
            return Fate::Output;
        }
        let fates = self.readers[value.index()].iter().map(|&reader| self.fate_at(&self.graph.nodes()[reader], value));
        fates.reduce(|first, next| if first == Fate::Other { next } else { first }).unwrap_or(Fate::Other)
    }

    /// What becomes of a value at one of the nodes that read it.
    fn fate_at(&self, node: &Node, value: ValueId) -> Fate {
        let is_constant = |id: &ValueId| self.graph.value(*id).constant().is_some();
        let other = node.inputs.iter().find(|input| **input != value).copied();
        match &node.op {
            Op::Add(_) if other.is_some_and(|other| is_constant(&other)) => self.fate(node.outputs[0]),
            Op::Add(_) => match other.filter(|other| self.sizes[other.index()].is_some()) {
                Some(skip) => Fate::Branch { skip, scaled: false },
                None => Fate::Other,
            },
            Op::Mul(_) if other.is_some_and(|other| is_constant(&other)) => match self.fate(node.outputs[0]) {
                Fate::Branch { skip, .. } => Fate::Branch { skip, scaled: true },
                fate => fate,
            },
            Op::Attention(_) if node.inputs[..2].contains(&value) => Fate::Score,
            Op::Rope(_) | Op::Requantize(_) => self.fate(node.outputs[0]),
            op if op.moves_data_only() => self.fate(node.outputs[0]),
            op if is_normalization(op) => Fate::Normalized,
            _ => Fate::Other,
        }
    }

    /// The weights that make the graph's first output from this value, if there are such.
    fn head(&self, value: ValueId) -> Option<&'a Constant> {
        let nodes = self.readers[value.index()].iter().map(|&reader| &self.graph.nodes()[reader]);
        let mut heads =
            nodes.filter(|node| matches!(node.op, Op::MatMul(_)) && node.outputs[0] == self.graph.outputs()[0]);
        heads.next().and_then(|node| self.constant(node, 1))
    }
}

fn is_normalization(op: &Op) -> bool {
    op.signature().position(InputKind::Gain).is_some()
}

fn root_mean_square(values: &[f32]) -> f64 {
    let sum: f64 = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    (sum / values.len().max(1) as f64).sqrt()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// Root mean square of a function of normal numbers of this size: a sum over 121 points up to six deviations.
fn activated(size: f64, function: &dyn Fn(f64) -> f64) -> f64 {
    // Beyond it the exponential would leave its range; an activation is long linear there.
    let bounded = size.min(3.0);
    let (mut sum, mut weights) = (0.0, 0.0);
    for step in -60..=60 {
        let z = f64::from(step) / 10.0;
        let (weight, value) = (exp(-0.5 * z * z), function(bounded * z));
        sum += weight * value * value;
        weights += weight;
    }
    (sum / weights).sqrt() * size / bounded
}
