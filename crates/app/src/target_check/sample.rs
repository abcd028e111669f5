//! One-operator graphs with seeded inputs: what is asked of the engine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use autoneural_base::error::Result;
use autoneural_core::ir::ops::{self, Constants, OpKind, Purpose, SampleInput};
use autoneural_core::ir::{Constant, Graph, Op, ValueId, sample_graph};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::passes::Frozen;
use autoneural_core::program::Group;
use autoneural_core::quantize::can_be_cut;
use autoneural_engines::engine::Tensor;

/// Where chance begins; every sample begins there.
const SEED: u64 = 8295;

/// A graph of one operator with inputs for it.
pub(crate) struct Sample {
    /// What sets it apart from other samples of the operator.
    pub name: &'static str,
    /// The graph as all of it goes to the engine.
    pub partition: Partition,
    /// One tensor per input of the graph.
    pub inputs: Vec<Tensor>,
}

impl Sample {
    /// Whether the weights can be cut into blocks of so many input channels.
    pub(crate) fn has_blocks_of(&self, size: usize) -> bool {
        let graph = &self.partition.graph;
        let node = &graph.nodes()[0];
        let Some(shape) = node.inputs.get(1).map(|&id| &graph.value(id).shape) else { return false };
        let Some(axes) = node.op.weight_axes(shape.len()) else { return false };
        shape[axes.input] > size && can_be_cut(shape, axes, size)
    }

    /// Whether the weights have an axis of output channels, each of which may have its scale.
    pub(crate) fn has_channels(&self) -> bool {
        let graph = &self.partition.graph;
        let node = &graph.nodes()[0];
        let rank = node.inputs.get(1).map_or(0, |&id| graph.value(id).shape.len());
        node.op.weight_axes(rank).is_some_and(|axes| axes.output.is_some())
    }

    fn new(sample: &ops::Sample<Op>) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let (graph, given) = sample_graph(sample, |count, deviation| normal(&mut random, count, deviation))?;
        Ok(Sample { name: sample.name, partition: alone(graph)?, inputs: given.iter().map(tensor).collect() })
    }

    /// A graph with one input, which is filled with uniform numbers from -1 to 1.
    ///
    /// # Errors
    /// The graph is invalid, which is a defect.
    pub(crate) fn uniform(graph: Graph) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let input = |id: &ValueId| {
            let shape = graph.value(*id).shape.clone();
            let uniform = |_| (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0;
            let numbers = (0..shape.iter().product::<usize>()).map(uniform).collect();
            Tensor::f32(shape, numbers)
        };
        let inputs = graph.inputs().iter().map(input).collect();
        Ok(Sample { name: "", partition: alone(graph)?, inputs })
    }
}

/// All samples of an operator for a purpose; empty if this program has no such operator.
///
/// # Errors
/// The graph of a sample cannot be built, which is a defect.
pub(crate) fn samples(operator: &str, constants: Constants, purpose: Purpose) -> Result<Vec<Sample>> {
    let Some(kind) = OpKind::of_name(operator) else { return Ok(vec![]) };
    let made = (kind.samples)(constants);
    made.iter().filter(|sample| sample.purpose == purpose).map(Sample::new).collect()
}

/// The first sample of an operator for a purpose, with its constants.
///
/// # Errors
/// As for [`samples`].
pub(crate) fn sample(operator: &str, purpose: Purpose) -> Result<Option<Sample>> {
    let constants = Constants { weights: true, bias: true };
    Ok(samples(operator, constants, purpose)?.into_iter().next())
}

/// The first sample of an operator, behind so many axes of two that it has this number of axes in all; none if it cannot
/// have them.
///
/// # Errors
/// As for [`samples`].
pub(crate) fn on_axes(operator: &str, constants: Constants, axes: usize) -> Result<Option<Sample>> {
    let made = OpKind::of_name(operator).map(|kind| (kind.samples)(constants)).unwrap_or_default();
    let Some(mut sample) = made.into_iter().next() else { return Ok(None) };
    let rank = |input: &SampleInput| match input {
        SampleInput::Read(shape) | SampleInput::Positive(shape) => shape.len(),
        _ => 0,
    };
    let most = sample.inputs.iter().map(rank).max().unwrap_or_default();
    let Some(more) = axes.checked_sub(most) else { return Ok(None) };
    sample.operator = sample.operator.renumbered(|axis| axis + more);
    for input in &mut sample.inputs {
        if let SampleInput::Read(shape) | SampleInput::Positive(shape) = input {
            *shape = [vec![2; more], std::mem::take(shape)].concat();
        }
    }
    Ok(Sample::new(&sample).ok())
}

fn tensor(given: &Constant) -> Tensor {
    match given.element_type().is_real() {
        true => Tensor::f32(given.shape().clone(), given.to_f32()),
        false => Tensor::i32(given.shape().clone(), given.to_i64().into_iter().map(|value| value as i32).collect()),
    }
}

/// Normally distributed numbers (Box and Muller, 1958), none beyond four deviations.
fn normal(random: &mut ChaCha8Rng, count: usize, deviation: f32) -> Vec<f32> {
    let mut uniform = || ((random.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let mut draw = || {
        let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), uniform() * std::f64::consts::TAU);
        (radius * angle.cos()).clamp(-4.0, 4.0) as f32 * deviation
    };
    (0..count).map(|_| draw()).collect()
}

/// A graph as a partition of its own.
fn alone(graph: Graph) -> Result<Partition> {
    let ports = |ids: &[ValueId]| {
        let name = |id: &ValueId| graph.value(*id).name.clone();
        let port = |id| Port::plain(name(id));
        ids.iter().map(port).collect()
    };
    let (inputs, outputs) = (ports(graph.inputs()), ports(graph.outputs()));
    let (name, graph) = (graph.name.clone(), Frozen::new(graph)?);
    Ok(Partition { name, group: Group::fixed("alone"), graph, inputs, outputs })
}
