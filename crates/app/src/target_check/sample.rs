//! One-operator graphs with seeded inputs: what is asked of the engine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::engine::Tensor;
use crate::error::Result;
use crate::ir::{Builder, Constant, ElementType, GeluKind, Graph, Interpolation, Op, Shape, ValueId};
use crate::partition::{Partition, Port};
use crate::program::Group;

/// Where chance begins; every sample begins there.
const SEED: u64 = 8295;

/// Which inputs of the operator are constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constants {
    /// The second.
    pub weights: bool,
    /// The third.
    pub bias: bool,
}

/// A graph of one operator with inputs for it.
pub struct Sample {
    /// What sets it apart from other samples of the operator.
    pub name: &'static str,
    /// The graph as all of it goes to the engine.
    pub partition: Partition,
    /// One tensor per input of the graph.
    pub inputs: Vec<Tensor>,
}

/// Inputs with this deviation are as those of a trained network behind a normalization.
const USUAL: f32 = 1.0;
/// Inputs with this deviation reach the ends of a bounded output.
const WIDE: f32 = 8.0;

impl Sample {
    /// Whether the weights can be cut into blocks of so many input channels.
    pub fn has_blocks_of(&self, size: usize) -> bool {
        let graph = &self.partition.graph;
        let node = &graph.nodes()[0];
        let Some(shape) = node.inputs.get(1).map(|&id| &graph.value(id).shape) else { return false };
        let channels = match node.op {
            Op::MatMul => shape[shape.len() - 2],
            _ => shape.get(1).copied().unwrap_or(1),
        };
        channels > size && channels % size == 0
    }
}

/// All samples of an operator; none if this program builds no graph of it.
pub fn samples(operator: &str, constants: Constants) -> Result<Vec<Sample>> {
    let Constants { weights, bias } = constants;
    let conv = |groups: usize, kernel: usize, stride: usize| {
        let pad = kernel / 2;
        Op::Conv { strides: [stride; 2], pads: [pad; 4], groups }
    };
    let resize = |interpolation| Op::Resize { interpolation, size: [16, 16] };
    let made = match operator {
        "Conv" => {
            let with = |name, op, channels: usize, w: [usize; 4]| {
                Draft::new(name).read(&[1, channels, 12, 12]).weights(&w, 0.05).bias(bias, w[0]).finish(op)
            };
            vec![
                with("1x1", conv(1, 1, 1), 64, [64, 64, 1, 1]),
                with("3x3, stride 2", conv(1, 3, 2), 32, [32, 32, 3, 3]),
                with("5x5 depthwise", conv(64, 5, 1), 64, [64, 1, 5, 5]),
            ]
        }
        "MatMul" if weights => {
            let draft = |name| Draft::new(name).read(&[1, 16, 128]).weights(&[128, 64], 0.05);
            vec![draft("").finish(Op::MatMul)]
        }
        "MatMul" => vec![Draft::new("").read(&[1, 4, 16, 32]).read(&[1, 4, 32, 16]).finish(Op::MatMul)],
        "Add" | "Mul" => {
            let op = if operator == "Add" { Op::Add } else { Op::Mul };
            let draft = Draft::new("").read(&[1, 16, 64]);
            vec![if weights { draft.weights(&[64], 0.5) } else { draft.read(&[1, 16, 64]) }.finish(op)]
        }
        "RMSNormalization" => {
            let draft = |name, size| Draft::new(name).sized(size).read(&[1, 16, 64]).weights(&[64], 0.5);
            let op = || Op::RmsNorm { axis: 2, epsilon: 1e-6 };
            vec![draft("inputs of size 1", USUAL).finish(op()), draft("inputs of size 0.01", 0.01).finish(op())]
        }
        "LayerNormalization" => {
            let draft = Draft::new("").read(&[1, 16, 64]).weights(&[64], 0.5).bias(bias, 64);
            vec![draft.finish(Op::LayerNorm { epsilon: 1e-6 })]
        }
        "Gelu" => vec![
            Draft::new("erf").read(&[1, 16, 64]).finish(Op::Gelu { kind: GeluKind::Erf }),
            Draft::new("tanh").read(&[1, 16, 64]).finish(Op::Gelu { kind: GeluKind::Tanh }),
        ],
        "Sigmoid" => vec![Draft::new("").read(&[1, 16, 64]).finish(Op::Sigmoid)],
        "Softmax" => vec![Draft::new("").read(&[1, 16, 64]).finish(Op::Softmax { axis: 2 })],
        "Neg" => vec![Draft::new("").read(&[1, 16, 64]).finish(Op::Neg)],
        "Requantize" => vec![Draft::new("").read(&[1, 16, 64]).finish(Op::Requantize)],
        "Reshape" => vec![Draft::new("").read(&[1, 16, 64]).finish(Op::Reshape { shape: vec![1, 4, 16, 16] })],
        "Transpose" => vec![Draft::new("").read(&[1, 4, 16, 16]).finish(Op::Transpose { perm: vec![0, 2, 1, 3] })],
        "Concat" => vec![Draft::new("").read(&[1, 16, 64]).read(&[1, 16, 32]).finish(Op::Concat { axis: 2 })],
        "Split" => vec![Draft::new("").read(&[1, 16, 64]).finish(Op::Split { axis: 2, parts: 2 })],
        "Slice" => vec![Draft::new("").read(&[1, 16, 64]).finish(Op::Slice { axis: 1, start: 3, end: 11 })],
        "Gather" => vec![Draft::new("").read(&[1, 16, 64]).indices(&[7, 2]).finish(Op::Gather { axis: 1 })],
        "AveragePool" => {
            let op = Op::AveragePool { kernel: [3, 3], strides: [3, 3] };
            vec![Draft::new("").read(&[1, 16, 12, 12]).finish(op)]
        }
        "Resize" => vec![
            Draft::new("nearest").read(&[1, 16, 8, 8]).finish(resize(Interpolation::Nearest)),
            Draft::new("linear").read(&[1, 16, 8, 8]).finish(resize(Interpolation::Linear)),
        ],
        _ => vec![],
    };
    made.into_iter().collect()
}

/// The operator on an axis that is not the last; none if its ONNX form cannot say so.
pub fn on_another_axis(operator: &str) -> Result<Option<Sample>> {
    match operator {
        "Softmax" => Draft::new("").read(&[1, 16, 64]).finish(Op::Softmax { axis: 1 }).map(Some),
        _ => Ok(None),
    }
}

/// The operator on inputs that drive a bounded output to its ends.
pub fn on_wide_inputs(operator: &str) -> Result<Option<Sample>> {
    let draft = Draft::new("").sized(WIDE).read(&[1, 16, 64]);
    match operator {
        "Sigmoid" => draft.finish(Op::Sigmoid).map(Some),
        "Softmax" => draft.finish(Op::Softmax { axis: 2 }).map(Some),
        _ => Ok(None),
    }
}

/// A sample while it is made.
struct Draft {
    name: &'static str,
    b: Builder,
    random: ChaCha8Rng,
    size: f32,
    operands: Vec<ValueId>,
    inputs: Vec<Tensor>,
    failed: Result<()>,
}

impl Draft {
    fn new(name: &'static str) -> Self {
        let random = ChaCha8Rng::seed_from_u64(SEED);
        let (operands, inputs) = (vec![], vec![]);
        Draft { name, b: Builder::new("operator"), random, size: USUAL, operands, inputs, failed: Ok(()) }
    }

    fn sized(mut self, deviation: f32) -> Self {
        self.size = deviation;
        self
    }

    fn take(&mut self, made: Result<ValueId>) {
        match made {
            Ok(id) => self.operands.push(id),
            Err(error) => self.failed = Err(error),
        }
    }

    fn read(mut self, shape: &[usize]) -> Self {
        let values = self.normal(shape, self.size);
        let made = self.b.input(format!("input.{}", self.inputs.len()), shape.to_vec(), ElementType::F32);
        self.inputs.push(Tensor::f32(shape.to_vec(), values));
        self.take(made);
        self
    }

    fn indices(mut self, values: &[i32]) -> Self {
        let made = self.b.input("indices", vec![values.len()], ElementType::I32);
        self.inputs.push(Tensor::i32(vec![values.len()], values.to_vec()));
        self.take(made);
        self
    }

    fn weights(mut self, shape: &[usize], deviation: f32) -> Self {
        let mut values = self.normal(shape, deviation);
        if let [_] = shape {
            // Factors and shifts lie around one, as those of trained normalizations do.
            values.iter_mut().for_each(|value| *value += 1.0);
        }
        let made = self.b.constant("weights", Constant::from_values(values, shape.to_vec()));
        self.take(made);
        self
    }

    fn bias(mut self, wanted: bool, channels: usize) -> Self {
        if wanted {
            let values = self.normal(&[channels], 0.1);
            let made = self.b.constant("bias", Constant::from_values(values, vec![channels]));
            self.take(made);
        }
        self
    }

    fn finish(mut self, op: Op) -> Result<Sample> {
        self.failed?;
        let outputs = self.b.node_outputs("output", op, &self.operands)?;
        let graph = self.b.finish(outputs);
        Ok(Sample { name: self.name, partition: alone(graph), inputs: self.inputs })
    }

    /// Normally distributed numbers (Box and Muller, 1958), none beyond four deviations.
    fn normal(&mut self, shape: &[usize], deviation: f32) -> Vec<f32> {
        let count: usize = Shape::from(shape).iter().product();
        let mut uniform = || ((self.random.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let mut draw = || {
            let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), uniform() * std::f64::consts::TAU);
            (radius * angle.cos()).clamp(-4.0, 4.0) as f32 * deviation
        };
        (0..count).map(|_| draw()).collect()
    }
}

/// A graph as a partition of its own.
fn alone(graph: Graph) -> Partition {
    let ports = |ids: &[ValueId]| {
        let name = |id: &ValueId| graph.value(*id).name.clone();
        let port = |id| Port::plain(name(id));
        ids.iter().map(port).collect()
    };
    let (inputs, outputs) = (ports(graph.inputs()), ports(graph.outputs()));
    Partition { name: graph.name.clone(), group: Group::fixed("alone"), graph, inputs, outputs }
}
