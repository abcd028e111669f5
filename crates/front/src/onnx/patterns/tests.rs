//! Forms in which exporters spell operators out, and forms that only look so.

use super::recognize;
use autoneural_core::ir::{Builder, Constant, ElementType, GeluKind, Graph, Op, ValueId, ops};

const SIZE: usize = 8;

/// A graph in the making, with names that count.
struct Making(Builder, usize);

impl Making {
    fn node(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> ValueId {
        self.1 += 1;
        self.0.node(format!("n{}", self.1), op, inputs).unwrap()
    }

    fn number(&mut self, value: f32) -> ValueId {
        self.constant(vec![value], vec![])
    }

    fn constant(&mut self, values: Vec<f32>, shape: Vec<usize>) -> ValueId {
        self.1 += 1;
        self.0.constant(format!("c{}", self.1), Constant::from_values(values, shape)).unwrap()
    }

    fn row(&mut self, shape: Vec<usize>) -> ValueId {
        self.constant((0..SIZE).map(|at| 0.5 + at as f32 / 8.0).collect(), shape)
    }

    fn mean(&mut self, x: ValueId) -> ValueId {
        self.node(ops::ReduceMean { axes: vec![2], keepdims: true }, &[x])
    }

    /// `sqrt(mean + epsilon)`.
    fn deviation(&mut self, mean: ValueId) -> ValueId {
        let epsilon = self.number(1e-5);
        let sum = self.node(ops::Add, &[mean, epsilon]);
        self.node(ops::Sqrt, &[sum])
    }

    fn square(&mut self, x: ValueId) -> ValueId {
        let two = self.number(2.0);
        self.node(ops::Pow, &[x, two])
    }
}

/// What a graph of the input `x [1,2,8]` computes, before and after.
fn recognized(build: impl FnOnce(&mut Making, ValueId) -> ValueId) -> Vec<&'static str> {
    let mut b = Builder::new("g");
    let x = b.input("x", vec![1, 2, SIZE], ElementType::F32).unwrap();
    let mut making = Making(b, 0);
    let y = build(&mut making, x);
    let graph = making.0.finish(vec![y]);
    let (made, _) = recognize(&graph).unwrap();
    let numbers: Vec<f32> = (0..2 * SIZE).map(|at| at as f32 / 5.0 - 1.3).collect();
    for (before, after) in run(&graph, &numbers).iter().zip(run(&made, &numbers)) {
        assert!((before - after).abs() < 1e-3, "{before} {after}");
    }
    made.nodes().iter().map(|node| node.op.name()).collect()
}

fn run(graph: &Graph, x: &[f32]) -> Vec<f32> {
    let mut known: Vec<Option<Constant>> = graph.values().map(|(_, value)| value.constant().cloned()).collect();
    known[graph.inputs()[0].index()] = Some(Constant::from_values(x.to_vec(), vec![1, 2, SIZE]));
    for node in graph.nodes() {
        let inputs: Vec<Constant> = node.inputs.iter().map(|id| known[id.index()].clone().unwrap()).collect();
        for (id, made) in node.outputs.iter().zip(node.op.evaluate(&inputs).unwrap()) {
            known[id.index()] = Some(made);
        }
    }
    known[graph.outputs()[0].index()].as_ref().unwrap().to_f32()
}

#[test]
fn gelu_is_found_in_every_order_of_its_factors() {
    let gate = |m: &mut Making, x: ValueId, divides: bool| {
        let root = m.number(if divides { std::f32::consts::SQRT_2 } else { std::f32::consts::FRAC_1_SQRT_2 });
        let scaled = if divides { m.node(ops::Div, &[x, root]) } else { m.node(ops::Mul, &[x, root]) };
        let bent = m.node(ops::Erf, &[scaled]);
        let one = m.number(1.0);
        m.node(ops::Add, &[bent, one])
    };
    // torch.onnx: (x * (1 + erf)) * 0.5
    let names = recognized(|m, x| {
        let gate = gate(m, x, true);
        let (product, half) = (m.node(ops::Mul, &[x, gate]), m.number(0.5));
        m.node(ops::Mul, &[product, half])
    });
    assert_eq!(names, ["Gelu"]);
    // tf2onnx: (0.5 * x) * (1 + erf)
    let names = recognized(|m, x| {
        let gate = gate(m, x, false);
        let half = m.number(0.5);
        let product = m.node(ops::Mul, &[half, x]);
        m.node(ops::Mul, &[product, gate])
    });
    assert_eq!(names, ["Gelu"]);
    // x * (0.5 * (1 + erf)), where x is a product itself
    let names = recognized(|m, x| {
        let x = m.node(ops::Mul, &[x, x]);
        let gate = gate(m, x, true);
        let half = m.number(0.5);
        let product = m.node(ops::Mul, &[gate, half]);
        m.node(ops::Mul, &[x, product])
    });
    assert_eq!(names, ["Mul", "Gelu"]);
    // Another factor is another function.
    let names = recognized(|m, x| {
        let gate = gate(m, x, true);
        let (product, half) = (m.node(ops::Mul, &[x, gate]), m.number(0.6));
        m.node(ops::Mul, &[product, half])
    });
    assert!(!names.contains(&"Gelu"), "{names:?}");
}

#[test]
fn gelu_with_a_tanh_is_the_other_kind() {
    let names = recognized(|m, x| {
        let three = m.number(3.0);
        let cube = m.node(ops::Pow, &[x, three]);
        let share = m.number(0.044715);
        let cube = m.node(ops::Mul, &[share, cube]);
        let sum = m.node(ops::Add, &[x, cube]);
        let factor = m.number((2.0f32 / std::f32::consts::PI).sqrt());
        let scaled = m.node(ops::Mul, &[factor, sum]);
        let bent = m.node(ops::Tanh, &[scaled]);
        let one = m.number(1.0);
        let gate = m.node(ops::Add, &[one, bent]);
        let half = m.number(0.5);
        let product = m.node(ops::Mul, &[half, x]);
        m.node(ops::Mul, &[product, gate])
    });
    assert_eq!(names, ["Gelu"]);
    let mut b = Builder::new("g");
    let x = b.input("x", vec![1], ElementType::F32).unwrap();
    let y = b.node("y", ops::Gelu { kind: GeluKind::Tanh }, &[x]).unwrap();
    assert!(recognize(&b.finish(vec![y])).unwrap().1.is_empty(), "it is one operator already");
}

#[test]
fn normalizations_by_root_mean_square_are_found_with_and_without_gain() {
    let normal = |m: &mut Making, x: ValueId| {
        let squared = m.square(x);
        let mean = m.mean(squared);
        m.deviation(mean)
    };
    let names = recognized(|m, x| {
        let (deviation, gain) = (normal(m, x), m.row(vec![SIZE]));
        let quotient = m.node(ops::Div, &[x, deviation]);
        m.node(ops::Mul, &[gain, quotient])
    });
    assert_eq!(names, ["RMSNormalization"]);
    // Llama, as torch.onnx writes rsqrt.
    let names = recognized(|m, x| {
        let (deviation, gain) = (normal(m, x), m.row(vec![1, 1, SIZE]));
        let inverse = m.node(ops::Reciprocal, &[deviation]);
        let product = m.node(ops::Mul, &[x, inverse]);
        m.node(ops::Mul, &[product, gain])
    });
    assert_eq!(names, ["RMSNormalization"]);
    let names = recognized(|m, x| {
        let deviation = normal(m, x);
        m.node(ops::Div, &[x, deviation])
    });
    assert_eq!(names, ["RMSNormalization"]);
    // The deviation of something else is no normalization.
    let names = recognized(|m, x| {
        let other = m.node(ops::Sigmoid, &[x]);
        let deviation = normal(m, other);
        m.node(ops::Div, &[x, deviation])
    });
    assert!(!names.contains(&"RMSNormalization"), "{names:?}");
}

#[test]
fn layer_normalization_is_found() {
    let names = recognized(|m, x| {
        let mean = m.mean(x);
        let centred = m.node(ops::Sub, &[x, mean]);
        let squared = m.square(centred);
        let variance = m.mean(squared);
        let deviation = m.deviation(variance);
        let normal = m.node(ops::Div, &[centred, deviation]);
        let (gain, bias) = (m.row(vec![SIZE]), m.row(vec![SIZE]));
        let scaled = m.node(ops::Mul, &[normal, gain]);
        m.node(ops::Add, &[scaled, bias])
    });
    assert_eq!(names, ["LayerNormalization"]);
}

#[test]
fn activations_with_gates_are_found() {
    let clipped = |m: &mut Making, x: ValueId| {
        let three = m.number(3.0);
        let sum = m.node(ops::Add, &[x, three]);
        m.node(ops::Clip { min: Some(0.0), max: Some(6.0) }, &[sum])
    };
    let names = recognized(|m, x| {
        let (gate, six) = (clipped(m, x), m.number(6.0));
        m.node(ops::Div, &[gate, six])
    });
    assert_eq!(names, ["HardSigmoid"]);
    let names = recognized(|m, x| {
        let gate = clipped(m, x);
        let (product, six) = (m.node(ops::Mul, &[x, gate]), m.number(6.0));
        m.node(ops::Div, &[product, six])
    });
    assert_eq!(names, ["HardSwish"]);
    let names = recognized(|m, x| {
        let gate = m.node(ops::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 }, &[x]);
        m.node(ops::Mul, &[gate, x])
    });
    assert_eq!(names, ["HardSwish"]);
    let names = recognized(|m, x| {
        let gate = m.node(ops::Sigmoid, &[x]);
        m.node(ops::Mul, &[gate, x])
    });
    assert_eq!(names, ["Silu"]);
}

#[test]
fn what_is_read_elsewhere_stays() {
    let names = recognized(|m, x| {
        let gate = m.node(ops::Sigmoid, &[x]);
        let silu = m.node(ops::Mul, &[x, gate]);
        m.node(ops::Add, &[silu, gate])
    });
    assert_eq!(names, ["Sigmoid", "Silu", "Add"]);
}

#[test]
fn a_product_with_the_tanh_of_its_softplus_is_mish() {
    let names = recognized(|m, x| {
        let soft = m.node(ops::Softplus, &[x]);
        let bounded = m.node(ops::Tanh, &[soft]);
        m.node(ops::Mul, &[bounded, x])
    });
    assert_eq!(names, ["Mish"]);
}

#[test]
fn attention_is_found_wherever_its_factor_stands() {
    let heads = |m: &mut Making, x: ValueId| m.node(ops::Reshape { shape: vec![1, 2, 2, 4] }, &[x]);
    let names = recognized(|m, x| {
        let q = heads(m, x);
        let k = m.node(ops::Transpose { perm: vec![0, 1, 3, 2] }, &[q]);
        let share = m.number(0.7);
        let (q_scaled, k_scaled) = (m.node(ops::Mul, &[q, share]), m.node(ops::Mul, &[k, share]));
        let scores = m.node(ops::MatMul, &[q_scaled, k_scaled]);
        let weights = m.node(ops::Softmax { axis: 3 }, &[scores]);
        m.node(ops::MatMul, &[weights, q])
    });
    assert_eq!(names, ["Reshape", "Transpose", "Attention"]);
    let names = recognized(|m, x| {
        let q = heads(m, x);
        let k = m.node(ops::Transpose { perm: vec![0, 1, 3, 2] }, &[q]);
        let (scores, root) = (m.node(ops::MatMul, &[q, k]), m.number(2.0));
        let scores = m.node(ops::Div, &[scores, root]);
        let mask = m.constant(vec![0.0, -50.0, 0.0, 0.0], vec![1, 1, 2, 2]);
        let scores = m.node(ops::Add, &[mask, scores]);
        let weights = m.node(ops::Softmax { axis: 3 }, &[scores]);
        m.node(ops::MatMul, &[weights, q])
    });
    assert_eq!(names, ["Reshape", "Transpose", "Attention"]);
}

#[test]
fn a_rotary_embedding_is_found() {
    let names = recognized(|m, x| {
        let x = m.node(ops::Reshape { shape: vec![1, 2, 2, 4] }, &[x]);
        let table =
            |m: &mut Making, of: fn(f32) -> f32| m.constant((0..8).map(|at| of(at as f32)).collect(), vec![1, 1, 2, 4]);
        let (cos, sin) = (table(m, f32::cos), table(m, f32::sin));
        let front = m.node(ops::Slice { axis: 3, start: 0, end: 2 }, &[x]);
        let back = m.node(ops::Slice { axis: 3, start: 2, end: 4 }, &[x]);
        let negated = m.node(ops::Neg, &[back]);
        let turned = m.node(ops::Concat { axis: 3 }, &[negated, front]);
        let (along, across) = (m.node(ops::Mul, &[x, cos]), m.node(ops::Mul, &[turned, sin]));
        m.node(ops::Add, &[along, across])
    });
    assert_eq!(names, ["Reshape", "RotaryEmbedding"]);
}

#[test]
fn a_root_mean_square_is_found_over_any_one_axis() {
    let over = |m: &mut Making, x: ValueId, axes: Vec<usize>| {
        let square = m.square(x);
        let mean = m.node(ops::ReduceMean { axes, keepdims: true }, &[square]);
        let deviation = m.deviation(mean);
        let inverse = m.node(ops::Reciprocal, &[deviation]);
        m.node(ops::Mul, &[x, inverse])
    };
    // As timm's MobileNetV5: over the channels of [N,C,L], whose gains are [C,1] or [1,C,1].
    for shape in [vec![2, 1], vec![1, 2, 1]] {
        let names = recognized(|m, x| {
            let (made, gain) = (over(m, x, vec![1]), m.constant(vec![0.5, 2.0], shape));
            m.node(ops::Mul, &[made, gain])
        });
        assert_eq!(names, ["RMSNormalization"]);
    }
    // A factor along another axis stays.
    let names = recognized(|m, x| {
        let (made, row) = (over(m, x, vec![1]), m.row(vec![SIZE]));
        m.node(ops::Mul, &[made, row])
    });
    assert_eq!(names, ["RMSNormalization", "Mul"]);
    let names = recognized(|m, x| over(m, x, vec![1, 2]));
    assert_eq!(names, ["Pow", "ReduceMean", "Add", "Sqrt", "Reciprocal", "Mul"]);
}
