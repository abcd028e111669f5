//! Encodings of constants. They depend on which input of its node a constant is.

use super::blocks::{MOST, can_be_cut, channel_scales, in_blocks, spread, with_channel_scales};
use super::multiplier::settle;
use super::scales::OfGroup;
use super::steps::STEPS;
use crate::encoding::{Encoding, IntegerType, magnitudes};
use crate::ir::ops::InputKind;
use crate::ir::{Constant, Graph, Node, Op, Value};
use crate::recipe::{BlockScales, PartRecipe, WeightBits};
use crate::target::{Activations, Case, Granularity, Operator, Weights};
use autoneural_base::error::{Error, Result};

/// The constant weight of a node, whose integers the recipe chooses; `None` if it has none.
pub fn weight<'a>(graph: &'a Graph, node: &Node) -> Option<&'a Value> {
    constant(graph, node, node.op.signature().position(InputKind::Weight)?)
}

/// The nodes of a graph whose weight has this name.
pub fn readers<'a>(graph: &'a Graph, name: &str) -> impl Iterator<Item = &'a Node> {
    graph.nodes().iter().filter(move |node| weight(graph, node).is_some_and(|value| value.name == name))
}

/// The constant bias of a node, which is added to its sums; `None` if it has none.
pub(crate) fn bias<'a>(graph: &'a Graph, node: &Node) -> Option<&'a Value> {
    constant(graph, node, node.op.signature().position(InputKind::Bias)?)
}

/// An input of a node, if it is a constant of real numbers.
pub(crate) fn constant<'a>(graph: &'a Graph, node: &Node, input: usize) -> Option<&'a Value> {
    let is_encoded = |value: &&Value| value.constant().is_some() && value.element.is_real();
    node.inputs.get(input).map(|&id| graph.value(id)).filter(is_encoded)
}

/// The constant that a target's `weights` are about: the second input of a node, or the first of two operands, as in `1
/// - x`; `None` if neither is constant, or if the node only moves what it reads, whose encoding is that of its output.
pub(crate) fn stated<'a>(graph: &'a Graph, node: &Node) -> Option<&'a Value> {
    if node.op.moves_data_only() {
        return None;
    }
    let first = || constant(graph, node, 0).filter(|_| node.op.signature().kind(0) == Some(InputKind::Operand));
    constant(graph, node, 1).or_else(first)
}

/// A constant as an input of its node, with what its encoding depends on.
pub(crate) struct Place<'a> {
    /// The node that reads it.
    pub node: &'a Node,
    /// Which input of the node it is.
    pub input: usize,
    /// What the target takes of the operator.
    pub operator: &'a Operator,
    /// Its name.
    pub name: &'a str,
    /// What the recipe's method says of the scales of weights.
    pub scales: &'a OfGroup<'a>,
    /// Shape of the node's second input.
    pub weight_shape: &'a [usize],
    /// Encoding of the first of the node's inputs that is an activation.
    pub data: Option<&'a Encoding>,
    /// Encoding of the node's first output.
    pub result: Option<&'a Encoding>,
    /// The node's bias, if it has one.
    pub bias: Option<&'a Constant>,
    /// Whether the node makes a main output.
    pub is_head: bool,
    /// What an override of the recipe gives the constant, if it is a weight.
    pub exception: Option<WeightBits>,
    /// What it is encoded as where its encoding is kept of a quantized model; it counts before everything else.
    pub kept: Option<Weights>,
}

impl Place<'_> {
    /// What the constant is, as the operator's signature says it.
    pub(crate) fn kind(&self) -> Option<InputKind> {
        self.node.op.signature().kind(self.input)
    }

    /// The scales of a weight that its bias follows from, one or one per output channel.
    pub(crate) fn channel_scales(&self, encoding: &Encoding) -> Vec<f32> {
        match self.node.op.weight_axes(self.weight_shape.len()) {
            Some(axes) => channel_scales(encoding, self.weight_shape, axes),
            None => encoding.scale.clone(),
        }
    }

    /// The integers of a weight and their granularity: as the override says, or as the recipe says for such weights.
    fn choose(&self, recipe: &PartRecipe) -> Result<Weights> {
        if let Some(kept) = self.kept {
            return Ok(kept);
        }
        chosen((self.node, self.operator), self.weight_shape, (self.is_head, self.exception), recipe)
    }
}

/// The integers of a node's weights and their granularity, as a recipe says it; `exception` is its override of them.
///
/// # Errors
/// The target does not take them.
pub(crate) fn chosen(
    of: (&Node, &Operator),
    shape: &[usize],
    (is_head, exception): (bool, Option<WeightBits>),
    recipe: &PartRecipe,
) -> Result<Weights> {
    let of_all = match (of.0.op.is_depthwise(shape), is_head) {
        (true, _) => recipe.depthwise.unwrap_or(IntegerType::Int8).into(),
        (_, true) => recipe.head.unwrap_or(recipe.weights),
        _ => recipe.weights,
    };
    accept(of, shape, exception.unwrap_or(of_all), exception.is_some())
}

/// The encoding of a constant. `weights` is that of the node's weight, from which the encoding of a bias follows.
///
/// # Errors
/// The target does not take the type that the recipe chose, a bias does not fit the scales that were given, or evidence
/// for the scales is missing.
pub(crate) fn encode(
    constant: &Constant,
    place: &Place,
    recipe: &PartRecipe,
    weights: Option<&Encoding>,
) -> Result<Encoding> {
    let node = place.node;
    match place.kind() {
        Some(InputKind::Weight) => {
            let chosen = place.choose(recipe)?;
            let values = constant.to_f32();
            let shape = place.weight_shape;
            let leave_room = |magnitudes: &mut [f32], most: f64| {
                if let (Some(bias), Some(data)) = (place.bias, place.data) {
                    leave_room_for_bias(magnitudes, &bias.to_f32(), data, most);
                }
            };
            // With a scale for each index of an axis. Sums, and biases with them, are in multiples of a scale, or of one
            // of so many parts of it.
            let of_channels = |axis: Option<usize>, parts: u32| -> Result<Encoding> {
                let mut magnitudes = magnitudes(&values, shape, axis);
                let whole = Encoding::symmetric(chosen.integer, &magnitudes, axis);
                let shares = place.scales.shares(place.name, &values, &whole)?;
                magnitudes.iter_mut().zip(shares).for_each(|(magnitude, share)| *magnitude *= share);
                leave_room(&mut magnitudes, f64::from(parts) * chosen.integer.limits().1 as f64);
                Ok(Encoding::symmetric(chosen.integer, &magnitudes, axis))
            };
            Ok(match (chosen.granularity, node.op.weight_axes(shape.len())) {
                (Granularity::Block(size), Some(axes)) if recipe.block_scales == BlockScales::Shared => {
                    spread(&of_channels(axes.output, MOST)?, shape, axes, size)
                        .map_err(|message| Error::internal(place.name, message))?
                }
                (Granularity::Block(size), Some(axes)) => {
                    let mut least = vec![0.0; place.bias.map_or(0, |bias| bias.shape().iter().product())];
                    leave_room(&mut least, 1.0);
                    let importance = place.scales.importance(place.name)?;
                    in_blocks(chosen.integer, (&values, shape), axes, size, (&least, &importance))
                }
                (granularity, _) if chosen.integer.is_signed() => {
                    of_channels(channels(&node.op, granularity, shape), 1)?
                }
                _ => fit(&node.op, chosen, &values, shape),
            })
        }
        Some(InputKind::Bias) => {
            let (Some(data), Some(weights)) = (place.data, weights) else {
                return Err(Error::internal(&node.name, "has a bias but no encoded input"));
            };
            let Some(&integer) = place.operator.bias.first() else {
                return Err(Error::input(&node.name, format!("the target takes no bias of {}", node.op.name())));
            };
            let made = of_sums(&node.op, integer, data, (weights, place.weight_shape));
            refuse_overflow(&made, &constant.to_f32(), node)?;
            Ok(made)
        }
        Some(InputKind::Gain | InputKind::Operand) => {
            let case = |weights: &Weights| {
                let activations = place.data.map(|data| Activations::Same(data.integer));
                activations.map(|activations| Case { activations, weights: Some(*weights), bias: None })
            };
            let taken = |weights: &&Weights| case(weights).is_none_or(|case| place.operator.takes(&case));
            // Of those that are taken, one that is computed in integers.
            let in_integers = |weights: &&Weights| case(weights).is_none_or(|case| !place.operator.is_in_fp16(&case));
            let listed = || place.operator.weights.iter().filter(taken);
            let weights = *listed().find(in_integers).or_else(|| listed().next()).ok_or_else(|| {
                Error::input(&node.name, format!("the target takes no constant input of {}", node.op.name()))
            })?;
            let mut made = fit(&node.op, weights, &constant.to_f32(), constant.shape());
            if let (Some(bias), Some(data)) = (place.bias, place.data) {
                leave_room_for_bias(&mut made.scale, &bias.to_f32(), data, 1.0);
            }
            Ok(made)
        }
        // An operator that only moves its inputs has one encoding for all of them.
        Some(InputKind::Data) if node.op.moves_data_only() => {
            place.result.cloned().ok_or_else(|| Error::internal(&node.name, "joins a constant to what has no encoding"))
        }
        Some(InputKind::Data | InputKind::Indices) | None => {
            let message = format!("input {} of {} is constant", place.input, node.op.name());
            Err(Error::internal(&node.name, message))
        }
    }
}

/// The encoding that covers a constant of an operator: symmetric if the integers have a sign, affine otherwise. A
/// constant without an axis of output channels gets one scale.
pub fn fit(op: &Op, weights: Weights, values: &[f32], shape: &[usize]) -> Encoding {
    let integer = weights.integer;
    if !integer.is_signed() {
        let (low, high) = values.iter().fold((0f32, 0f32), |(low, high), &v| (low.min(v), high.max(v)));
        return Encoding::of_range(integer, low, high);
    }
    if let (Granularity::Block(size), Some(axes)) = (weights.granularity, op.weight_axes(shape.len())) {
        return in_blocks(integer, (values, shape), axes, size, (&[], &[]));
    }
    let axis = channels(op, weights.granularity, shape);
    Encoding::symmetric(integer, &magnitudes(values, shape, axis), axis)
}

/// The axis along which the scales of weights differ, if they do.
fn channels(op: &Op, granularity: Granularity, shape: &[usize]) -> Option<usize> {
    let axes = op.weight_axes(shape.len()).filter(|_| granularity == Granularity::Channel);
    axes.and_then(|axes| axes.output)
}

/// The encoding of a bias, which is added to sums of products: its scales are `input scale x weight scale`, with the
/// scale of its channel where the weights, of this shape, are in blocks.
pub fn of_sums(op: &Op, integer: IntegerType, data: &Encoding, (weights, shape): (&Encoding, &[usize])) -> Encoding {
    let of_channels = op.weight_axes(shape.len()).map(|axes| channel_scales(weights, shape, axes));
    let of_channels = of_channels.unwrap_or_else(|| weights.scale.clone());
    let scale = of_channels.iter().map(|scale| scale * data.scale[0]).collect::<Vec<_>>();
    let axis = weights.axis.map(|_| 0);
    Encoding { integer, zero_point: vec![0; scale.len()], scale, axis, block: None }
}

/// Refuses a bias that saturates: a weight that does loses precision, but a bias that does makes another model.
fn refuse_overflow(encoding: &Encoding, bias: &[f32], node: &Node) -> Result<()> {
    let most = encoding.integer.limits().1 as f64;
    for (channel, &bias) in bias.iter().enumerate() {
        let scale = encoding.scale[channel.min(encoding.scale.len() - 1)];
        if f64::from(bias.abs()) > most * f64::from(scale) {
            let name = encoding.integer.name();
            let message = format!("bias {bias} of channel {channel} does not fit {name} of scale {scale:e}");
            return Err(
                Error::input(&node.name, message).help("the given scale of the weights or the input is too small")
            );
        }
    }
    Ok(())
}

/// What the target takes of the integers that the recipe chose. Blocks that the recipe states for all weights of a group
/// are for those that can be cut like this; the others have one scale per output channel.
fn accept(
    (node, operator): (&Node, &Operator),
    shape: &[usize],
    bits: WeightBits,
    is_exception: bool,
) -> Result<Weights> {
    let refuse = |message: String| Err(Error::input(&node.name, message).help("change the recipe"));
    let taken = || operator.weights.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if let Some(block) = bits.block {
        let wanted = Weights { integer: bits.integer, granularity: Granularity::Block(block) };
        let fits = node.op.weight_axes(shape.len()).is_some_and(|axes| can_be_cut(shape, axes, block));
        if fits && operator.weights.contains(&wanted) {
            return Ok(wanted);
        }
        if is_exception && !fits {
            let why = "they need a multiple of as many input channels and a kernel of one position";
            return refuse(format!("weights of shape {shape:?} cannot be cut into blocks of {block}: {why}"));
        }
        if fits || is_exception {
            return refuse(format!("the target takes {} weights of {}, not {wanted}", taken(), operator.name));
        }
    }
    match operator.weights_of(bits.integer) {
        Some(weights) => Ok(weights),
        None => {
            let name = bits.integer.name();
            refuse(format!("the target takes {} weights of {}, not {name}", taken(), operator.name))
        }
    }
}

/// How many times the multiplier of the larger half of a pair is that of the whole; 1 of weights that are no pair.
pub(crate) fn pass(operator: &Operator, weights: &Encoding, data: &Encoding) -> u32 {
    let activations = Activations::Same(data.integer);
    let case = Case { activations, weights: Some(Weights::of(weights)), bias: None };
    if operator.has_pairs(&case) { STEPS - 1 } else { 1 }
}

/// Moves the scales of weights of this shape to where the target's arithmetic represents them: [`settle`], for what is in
/// blocks with the scales of its output channels.
pub fn settle_weights(
    op: &Op,
    (weights, shape): (&mut Encoding, &[usize]),
    (input, output): (&Encoding, &Encoding),
    bits: u32,
    sum_step: Option<u32>,
) {
    let change = |weights: &mut Encoding| settle(weights, input, output, bits, sum_step);
    match op.weight_axes(shape.len()) {
        Some(axes) => with_channel_scales(weights, shape, axes, change),
        None => change(weights),
    }
}

/// A bias is stored as int32 of scale `input scale x weight scale`; a channel whose weights are nearly zero must not
/// make that scale so small that the bias overflows. So magnitudes are raised where needed. `most` is the integer that
/// a magnitude is encoded as.
fn leave_room_for_bias(magnitudes: &mut [f32], bias: &[f32], data: &Encoding, most: f64) {
    for (channel, bias) in bias.iter().enumerate() {
        // One scale for all channels has to leave room for every bias.
        let at = channel.min(magnitudes.len() - 1);
        let magnitude = &mut magnitudes[at];
        let least = f64::from(bias.abs()) / f64::from(data.scale[0]) / f64::from(1u32 << 30) * most;
        *magnitude = magnitude.max(least as f32);
    }
}
