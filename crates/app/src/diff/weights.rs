//! Constants of an operator, quantized against float: channel by channel.

use std::collections::HashMap;

use super::net::Net;
use super::units::{constants, dequantizes};
use crate::verify::Sqnr;
use autoneural_base::error::Result;
use autoneural_engines::back::onnx::pb::NodeProto;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::Array;

/// Numbers of ONNX types.
const INT4: i32 = 22;
const UINT4: i32 = 21;
/// A channel with less of the power of all is not looked at.
const LEAST_SHARE: f64 = 1e-3;
/// Whole multiples of a channel's scale that the scale of a block may be.
const MOST_MULTIPLE: f32 = 16.0;

/// A constant of an operator.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    /// Name in the float model.
    pub name: String,
    /// Place among the node's inputs.
    pub input: usize,
    /// Bits of its integers, where it has some.
    pub bits: Option<u32>,
    /// Whether the node that makes float of 4-bit integers lacks a zero point.
    pub lacks_zero_point: bool,
    /// Scales of its integers, one or one for each channel; empty where they have blocks or are not known.
    pub scales: Vec<f32>,
    /// Whether one scale stands for all channels, of which there are several.
    pub is_per_tensor: bool,
    /// Whether scales of blocks are not whole multiples, up to 16, of one scale of their channel.
    pub is_off_grid: bool,
    /// SQNR against float, in dB.
    pub db: f64,
    /// SQNR that integers of as many bits reach with one sound scale per channel, in dB.
    pub expected_db: f64,
    /// Root mean square of the float numbers.
    pub rms: f64,
    /// Channels.
    pub channels: Vec<Channel>,
}

/// A channel of weights that holds at least a thousandth of their power.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    /// Its index.
    pub at: usize,
    /// SQNR against float, in dB.
    pub db: f64,
    /// SQNR to be expected, in dB.
    pub expected_db: f64,
    /// What the float numbers are multiplied with to come nearest.
    pub gain: f64,
    /// SQNR that is left when the float numbers are multiplied with `gain`, in dB.
    pub scaled_db: f64,
    /// Share of the difference to float that is the same for all numbers, from 0 to 1.
    pub constant_share: f64,
    /// Whether all of it is zero, and in float not.
    pub is_zero: bool,
}

/// Constants of a pair of nodes, and the places of those that the quantized node lacks.
pub(crate) type Constants = (Vec<Weights>, Vec<usize>);

/// Constants of nodes: per pair of a float and a quantized node, those that both read at the same place in the same
/// shape. The second list names those that the quantized node lacks.
///
/// # Errors
/// Constants that are not where the files say.
pub(crate) fn compare(
    (float, quantized): (&Net, &Net),
    pairs: &[(usize, usize)],
    runtime: &Runtime,
) -> Result<Vec<Constants>> {
    let names = |net: &Net, of: &dyn Fn(&(usize, usize)) -> usize| {
        let read = pairs.iter().flat_map(|pair| net.nodes[of(pair)].input.clone());
        read.filter(|name| net.is_constant(name)).collect::<Vec<String>>()
    };
    let floats = constants(float, names(float, &|pair| pair.0), runtime)?;
    let others = constants(quantized, names(quantized, &|pair| pair.1), runtime)?;
    let scales = scales(quantized, pairs, runtime)?;
    let mut all = Vec::new();
    for &(a, b) in pairs {
        let (node, other) = (&float.nodes[a], &quantized.nodes[b]);
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for (input, name) in node.input.iter().enumerate() {
            let Some(values) = floats.get(name).and_then(|array| Some((array, array.reals()?))) else { continue };
            match other.input.get(input).filter(|name| !name.is_empty()) {
                None => missing.push(input),
                Some(name) => {
                    let tested = others.get(name).and_then(|array| Some((array, array.reals()?)));
                    let Some((array, tested)) = tested.filter(|(array, _)| array.shape == values.0.shape) else {
                        continue;
                    };
                    let mut one = weigh(node, input, (array, &values.1, &tested));
                    one.name = node.input[input].clone();
                    dress(&mut one, quantized, name, &scales);
                    found.push(one);
                }
            }
        }
        all.push((found, missing));
    }
    Ok(all)
}

/// The scales that these nodes' constants have.
fn scales(net: &Net, pairs: &[(usize, usize)], runtime: &Runtime) -> Result<HashMap<String, Array>> {
    let read = pairs.iter().flat_map(|pair| &net.nodes[pair.1].input).filter(|name| net.is_constant(name));
    let makers = read.filter_map(|name| dequantizer(net, name));
    constants(net, makers.filter_map(|node| node.input.get(1).cloned()).collect(), runtime)
}

/// The node that makes float of a constant's integers, behind nodes that only move it.
fn dequantizer<'a>(net: &'a Net, name: &str) -> Option<&'a NodeProto> {
    let mut at = net.maker(name)?;
    for _ in 0..4 {
        let node = &net.nodes[at];
        if dequantizes(node) {
            return Some(node);
        }
        if !["Transpose", "Reshape", "Identity", "Squeeze", "Unsqueeze"].contains(&node.op_type.as_str()) {
            return None;
        }
        at = net.maker(node.input.first()?)?;
    }
    None
}

fn block_size(node: &NodeProto) -> i64 {
    node.attribute.iter().find(|one| one.name == "block_size").map_or(0, |one| one.i)
}

/// What the nodes around a constant say of its integers.
fn dress(one: &mut Weights, net: &Net, name: &str, scales: &HashMap<String, Array>) {
    let Some(node) = dequantizer(net, name) else { return };
    let kind = node.input.first().and_then(|codes| net.stored(codes)).map(|tensor| tensor.data_type);
    one.bits = match kind {
        Some(INT4 | UINT4) => Some(4),
        Some(2 | 3) => Some(8),
        Some(4 | 5) => Some(16),
        Some(6) => Some(32),
        // Float numbers that a QuantizeLinear rounds.
        _ => node.input.get(2).and_then(|zero| net.stored(zero)).map(|tensor| match tensor.data_type {
            INT4 | UINT4 => 4,
            4 | 5 => 16,
            6 => 32,
            _ => 8,
        }),
    };
    one.lacks_zero_point = one.bits == Some(4) && node.input.get(2).is_none_or(String::is_empty);
    let scale = node.input.get(1).and_then(|scale| net.stored(scale));
    one.is_per_tensor = one.channels.len() > 1 && scale.is_some_and(|scale| scale.dims.iter().product::<i64>() == 1);
    if let Some(scales) = node.input.get(1).and_then(|name| scales.get(name)) {
        match block_size(node) > 0 {
            true => {
                let axis = node.attribute.iter().find(|one| one.name == "axis").map_or(1, |one| one.i);
                one.is_off_grid = is_off_grid(scales, axis);
            }
            false => one.scales = scales.reals().unwrap_or_default(),
        }
    }
    if let Some(bits) = one.bits.filter(|bits| *bits < 16) {
        let lost = 6.02 * f64::from(8 - bits as i32);
        one.expected_db -= lost;
        one.channels.iter_mut().for_each(|channel| channel.expected_db -= lost);
    }
}

/// Whether scales of blocks along an axis have no common measure per channel: whole multiples from 1 to 16.
fn is_off_grid(scales: &Array, axis: i64) -> bool {
    let Some(values) = scales.reals() else { return false };
    let rank = scales.shape.len() as i64;
    let axis = if axis < 0 { axis + rank } else { axis };
    let Some(&count) = usize::try_from(axis).ok().and_then(|axis| scales.shape.get(axis)) else { return false };
    let inner: usize = scales.shape[axis as usize + 1..].iter().product();
    let outer = values.len() / (count * inner).max(1);
    (0..outer * inner).any(|channel| {
        let (o, i) = (channel / inner, channel % inner);
        let blocks: Vec<f32> = (0..count).map(|at| values[(o * count + at) * inner + i]).collect();
        let most = blocks.iter().copied().fold(0.0, f32::max);
        let fits = |multiple: u32| {
            let unit = most / multiple as f32;
            blocks.iter().all(|scale| {
                let k = (scale / unit).round();
                (1.0..=MOST_MULTIPLE).contains(&k) && (scale / unit - k).abs() < 0.02
            })
        };
        most > 0.0 && !(1..=MOST_MULTIPLE as u32).any(fits)
    })
}

/// The axis of a constant along which an operator's output channels lie.
fn channel_axis(node: &NodeProto, input: usize, shape: &[usize]) -> Option<usize> {
    let transposed = node.attribute.iter().any(|one| one.name == "transB" && one.i == 1);
    match node.op_type.as_str() {
        "Conv" if input == 1 => Some(0),
        "ConvTranspose" if input == 1 => Some(1),
        "Gemm" if input == 1 => Some(if transposed { 0 } else { 1 }),
        "MatMul" if shape.len() > 1 => Some(shape.len() - 1),
        _ => None,
    }
}

fn weigh(node: &NodeProto, input: usize, (array, float, test): (&Array, &[f32], &[f32])) -> Weights {
    let axis = channel_axis(node, input, &array.shape).filter(|&axis| axis < array.shape.len());
    let count = axis.map_or(1, |axis| array.shape[axis]);
    let inner: usize = axis.map_or(float.len(), |axis| array.shape[axis + 1..].iter().product());
    let mut sums = vec![Sums::default(); count];
    for (position, (&a, &b)) in float.iter().zip(test).enumerate() {
        let channel = if axis.is_some() { position / inner.max(1) % count } else { 0 };
        sums[channel].add(a.into(), b.into());
    }
    let mut whole = Sums::default();
    sums.iter().for_each(|one| whole.merge(one));
    let expected: f64 = sums.iter().map(Sums::rounding).sum();
    let channels = sums.iter().enumerate().filter(|(_, one)| one.power > LEAST_SHARE * whole.power);
    let channels = channels.map(|(at, one)| Channel {
        at,
        db: one.db(),
        expected_db: ratio(one.power, one.rounding()),
        gain: one.gain(),
        scaled_db: ratio(one.other, one.other - one.product * one.gain()),
        constant_share: if one.noise > 0.0 { one.difference.powi(2) / one.count / one.noise } else { 0.0 },
        is_zero: one.other == 0.0 && one.power > 0.0,
    });
    let rms = (whole.power / whole.count.max(1.0)).sqrt();
    Weights {
        name: String::new(),
        input,
        bits: None,
        lacks_zero_point: false,
        scales: vec![],
        is_per_tensor: false,
        is_off_grid: false,
        db: Sqnr::of(float, test).unwrap_or_default(),
        expected_db: ratio(whole.power, expected),
        rms,
        channels: channels.collect(),
    }
}

/// Sums over the numbers of a channel.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    power: f64,
    other: f64,
    product: f64,
    noise: f64,
    difference: f64,
    largest: f64,
}

impl Sums {
    fn add(&mut self, a: f64, b: f64) {
        self.count += 1.0;
        self.power += a * a;
        self.other += b * b;
        self.product += a * b;
        self.noise += (a - b) * (a - b);
        self.difference += b - a;
        self.largest = self.largest.max(a.abs());
    }

    fn merge(&mut self, other: &Sums) {
        self.count += other.count;
        self.power += other.power;
        self.other += other.other;
        self.product += other.product;
        self.noise += other.noise;
        self.difference += other.difference;
        self.largest = self.largest.max(other.largest);
    }

    /// Noise of rounding to 8 bits with a symmetric scale: a twelfth of a step's square for each number.
    fn rounding(&self) -> f64 {
        self.count * (self.largest / 127.0).powi(2) / 12.0
    }

    fn db(&self) -> f64 {
        ratio(self.power, self.noise)
    }

    fn gain(&self) -> f64 {
        if self.power > 0.0 { self.product / self.power } else { 1.0 }
    }
}

fn ratio(signal: f64, noise: f64) -> f64 {
    match (signal > 0.0, noise > 0.0) {
        (_, false) => 200.0,
        (false, true) => -200.0,
        _ => (10.0 * (signal / noise).log10()).clamp(-200.0, 200.0),
    }
}

impl Weights {
    /// Channels that hardly resemble those of the float model, for whatever reason but their few bits.
    pub(crate) fn broken(&self) -> impl Iterator<Item = &Channel> {
        self.channels.iter().filter(|one| one.db < 10.0 && one.db < one.expected_db - 6.0)
    }
}
