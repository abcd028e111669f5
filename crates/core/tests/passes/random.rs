//! Random small graphs: random cases of all operators, and chains of what passes look for.

use autoneural_core::ir::ops::{self, Chance, OPERATORS, SampleInput};
use autoneural_core::ir::{Builder, Constant, ElementType, Graph, ValueId};

/// Seeded numbers: the same on every machine (Steele, Lea, Flood, 2014: SplitMix).
pub struct Numbers(u64);

impl Numbers {
    /// Numbers of a seed.
    pub fn new(seed: u32) -> Self {
        Numbers(u64::from(seed))
    }

    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as u32
    }

    fn of(&mut self, most: usize) -> usize {
        self.next() as usize % most
    }

    /// Numbers from -1 to 1.
    fn values(&mut self, shape: &[usize]) -> Vec<f32> {
        (0..shape.iter().product()).map(|_| self.next() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
    }
}

/// A graph in the making, with numbers for its inputs.
struct Making<'a> {
    b: Builder,
    inputs: Vec<Constant>,
    numbers: &'a mut Numbers,
    count: usize,
}

/// A random graph, and numbers for its inputs.
pub fn graph(numbers: &mut Numbers) -> (Graph, Vec<Constant>) {
    let mut m = Making { b: Builder::new("random"), inputs: vec![], numbers, count: 0 };
    let mut ends = vec![];
    for _ in 0..1 + m.numbers.of(2) {
        let mut end = if m.numbers.of(2) == 0 { m.sample() } else { m.layer() };
        for _ in 0..m.numbers.of(6) {
            end = m.chain(end);
        }
        ends.push(end);
        if m.numbers.of(4) == 0 {
            // Somebody else reads it, too.
            let also = m.chain(end);
            ends.push(also);
        }
    }
    // What nobody reads.
    let end = ends[0];
    m.chain(end);
    ends.sort_unstable();
    ends.dedup();
    let made = m.b.graph();
    ends.retain(|&id| made.value(id).constant().is_none() && !made.inputs().contains(&id));
    if ends.is_empty() {
        let x = m.input(&[2, 3]);
        ends.push(m.node(ops::Sigmoid, &[x]));
    }
    (m.b.finish(ends), m.inputs)
}

impl Making<'_> {
    fn name(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}{}", self.count)
    }

    fn node(&mut self, op: impl Into<ops::Op>, inputs: &[ValueId]) -> ValueId {
        let name = self.name("n");
        self.b.node(name, op, inputs).unwrap()
    }

    fn input(&mut self, shape: &[usize]) -> ValueId {
        let (name, values) = (self.name("x"), self.numbers.values(shape));
        self.inputs.push(Constant::from_values(values, shape.to_vec()));
        self.b.input(name, shape.to_vec(), ElementType::F32).unwrap()
    }

    fn constant(&mut self, shape: &[usize]) -> ValueId {
        let (name, values) = (self.name("c"), self.numbers.values(shape));
        self.b.constant(name, Constant::from_values(values, shape.to_vec())).unwrap()
    }

    /// A constant of numbers above zero.
    fn positive(&mut self, shape: &[usize]) -> ValueId {
        let (name, values) = (self.name("c"), self.numbers.values(shape));
        let values = values.into_iter().map(|value| value.abs() + 0.25).collect();
        self.b.constant(name, Constant::from_values(values, shape.to_vec())).unwrap()
    }

    /// A random case of a random operator; now and then all that it reads is constant.
    fn sample(&mut self) -> ValueId {
        let kind = &OPERATORS[self.numbers.of(OPERATORS.len())];
        let sample = {
            let mut next = || self.numbers.next();
            (kind.draw)(&mut Chance::new(&mut next))
        };
        let is_constant = self.numbers.of(3) == 0;
        let inputs: Vec<ValueId> = sample
            .inputs
            .iter()
            .map(|input| match input {
                SampleInput::Read(shape) if !is_constant => self.input(shape),
                SampleInput::Read(shape) | SampleInput::Constant(shape, _) => self.constant(shape),
                SampleInput::Positive(shape) | SampleInput::PositiveConstant(shape) => self.positive(shape),
                SampleInput::Bias(channels) => self.constant(&[*channels]),
                SampleInput::Indices(values) => {
                    let numbers = values.iter().map(|&value| value.into()).collect();
                    let made = Constant::from_integers(ElementType::I32, numbers, vec![values.len()]);
                    let name = self.name("i");
                    self.b.constant(name, made).unwrap()
                }
            })
            .collect();
        let name = self.name("n");
        self.b.node_outputs(name, sample.operator, &inputs).unwrap()[0]
    }

    /// A layer as networks have them, with factors behind it.
    fn layer(&mut self) -> ValueId {
        match self.numbers.of(9) {
            0 => {
                let (x, w) = (self.input(&[1, 2, 4, 4]), self.constant(&[3, 2, 1, 1]));
                let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
                let y = self.node(conv, &[x, w]);
                self.factors(y, &[1, 3, 1, 1])
            }
            1 => {
                let (x, w, bias) = (self.input(&[1, 3, 4]), self.constant(&[4, 6]), self.constant(&[6]));
                let product = self.node(ops::MatMul, &[x, w]);
                let y = self.node(ops::Add, &[product, bias]);
                self.factors(y, &[6])
            }
            2 => {
                let (x, gamma) = (self.input(&[1, 4, 2, 3]), self.constant(&[4]));
                let y = self.node(ops::RmsNorm { axis: 1, epsilon: 0.1 }, &[x, gamma]);
                self.factors(y, &[1, 4, 1, 1])
            }
            3 => {
                let (x, w, last) = (self.input(&[1, 3, 4]), self.constant(&[4, 6]), self.constant(&[6, 2]));
                let between = self.node(ops::MatMul, &[x, w]);
                self.node(ops::MatMul, &[between, last])
            }
            4 => self.attention(),
            5 => self.biased(),
            6 => {
                // A query that was learned.
                let (query, keys) = (self.constant(&[1, 2, 4]), self.input(&[3, 4, 5]));
                self.node(ops::MatMul, &[query, keys])
            }
            _ => self.padded(),
        }
    }

    /// A transposed convolution, with the sums and factors of a bias and a normalization behind it.
    fn biased(&mut self) -> ValueId {
        let (x, w) = (self.input(&[1, 2, 2, 3]), self.constant(&[2, 3, 2, 2]));
        let op = ops::ConvTranspose { strides: [2, 2], pads: [0; 4], output_padding: [0; 2], groups: 1 };
        let mut y = self.node(op, &[x, w]);
        for shape in [&[1, 3, 1, 1][..], &[3, 1, 1], &[]].iter().take(1 + self.numbers.of(3)) {
            let added = self.constant(shape);
            y = self.node(ops::Add, &[y, added]);
            y = self.factors(y, &[1, 3, 1, 1]);
        }
        y
    }

    /// A window behind padding, which may have some of its own.
    fn padded(&mut self) -> ValueId {
        let mut x = self.input(&[1, 2, 4, 4]);
        if self.numbers.of(2) == 0 {
            x = self.node(ops::Relu, &[x]);
        }
        let mut amounts = || [0, 0, self.numbers.of(2), self.numbers.of(3)].to_vec();
        let (before, after) = (amounts(), amounts());
        let filling = [0.0, 0.0, 0.0, 0.5][self.numbers.of(4)];
        let padding = if self.numbers.of(4) == 0 { ops::Padding::Edge } else { ops::Padding::Constant(filling) };
        let x = self.node(ops::Pad { before, after, padding }, &[x]);
        let pads = [0, 1, 0, 1].map(|most| self.numbers.of(most + 1));
        let (kernel, strides) = ([2, 3], [1, 2]);
        match self.numbers.of(3) {
            0 => {
                let w = self.constant(&[3, 2, 2, 3]);
                self.node(ops::Conv { strides, pads, groups: 1, dilations: [1, 1] }, &[x, w])
            }
            1 => {
                let counts_pads = self.numbers.of(2) == 0;
                self.node(ops::AveragePool { kernel, strides, pads, counts_pads }, &[x])
            }
            _ => self.node(ops::MaxPool { kernel, strides, pads }, &[x]),
        }
    }

    fn factors(&mut self, x: ValueId, shape: &[usize]) -> ValueId {
        let factors = self.constant(shape);
        self.node(ops::Mul, &[x, factors])
    }

    fn attention(&mut self) -> ValueId {
        let (x, w) = (self.input(&[1, 3, 4]), self.constant(&[4, 8]));
        let (k, v) = (self.input(&[1, 1, 4, 5]), self.input(&[1, 1, 5, 2]));
        let projected = self.node(ops::MatMul, &[x, w]);
        let heads = self.node(ops::Reshape { shape: vec![1, 3, 2, 4] }, &[projected]);
        let mut q = self.node(ops::Transpose { perm: vec![0, 2, 1, 3] }, &[heads]);
        if self.numbers.of(2) == 0 {
            let (cos, sin) = (self.input(&[1, 1, 3, 4]), self.input(&[1, 1, 3, 4]));
            q = self.node(ops::Rope, &[q, cos, sin]);
        }
        let scale = if self.numbers.of(3) == 0 { 1.0 } else { 0.5 };
        self.node(ops::Attention { scale }, &[q, k, v])
    }

    /// A constant joined to a value, and something added to both.
    fn tokens(&mut self, x: ValueId, axis: usize) -> ValueId {
        let mut shape = self.b.shape(x).clone();
        let size = shape[axis];
        shape[axis] = 1 + self.numbers.of(2);
        let token = match self.numbers.of(3) {
            0 => {
                let (name, zeros) = (self.name("c"), vec![0.0; shape.iter().product()]);
                self.b.constant(name, Constant::from_values(zeros, shape.clone())).unwrap()
            }
            _ => self.constant(&shape),
        };
        let parts = if self.numbers.of(2) == 0 { [token, x] } else { [x, token] };
        let all = self.node(ops::Concat { axis }, &parts);
        shape[axis] += size;
        let from = self.numbers.of(shape.len());
        let added = self.constant(&shape[from..]);
        self.node(ops::Add, &[all, added])
    }

    /// One more node behind a value.
    fn chain(&mut self, x: ValueId) -> ValueId {
        if !self.b.graph().value(x).element.is_real() {
            return x;
        }
        let shape = self.b.shape(x).clone();
        let axis = self.numbers.of(shape.len().max(1));
        match self.numbers.of(if shape.is_empty() { 2 } else { 15 }) {
            0 => self.node(ops::Sigmoid, &[x]),
            1 => self.node(ops::Silu, &[x]),
            2 => self.node(ops::Softmax { axis }, &[x]),
            3 => {
                let gamma = self.constant(&[shape[axis]]);
                self.node(ops::RmsNorm { axis, epsilon: 0.1 }, &[x, gamma])
            }
            4 => {
                let mut perm: Vec<usize> = (0..shape.len()).collect();
                perm.rotate_left(axis);
                self.node(ops::Transpose { perm }, &[x])
            }
            5 => self.node(ops::Reshape { shape: vec![shape.iter().product()] }, &[x]),
            6 => self.node(ops::Reshape { shape: [&[1], &shape[..]].concat() }, &[x]),
            7 => {
                let mut of_axis = vec![1; shape.len()];
                of_axis[axis] = shape[axis];
                self.factors(x, &of_axis)
            }
            8 => self.tokens(x, axis),
            9 => {
                // What belongs to a row, as often as the row has elements.
                let row = self.node(ops::ReduceMax { axes: vec![axis], keepdims: true }, &[x]);
                let repeated = self.node(ops::Concat { axis }, &vec![row; shape[axis]]);
                let inputs = if self.numbers.of(2) == 0 { [x, repeated] } else { [repeated, repeated] };
                self.node(ops::Mul, &inputs)
            }
            10 => {
                // What was not trained.
                let of = |number: f32| {
                    Constant::from_values(vec![number; shape[axis..].iter().product()], shape[axis..].to_vec())
                };
                let (op, constant) = match self.numbers.of(4) {
                    0 => (ops::Op::from(ops::Add), of(0.0)),
                    1 => (ops::Sub.into(), of(0.0)),
                    2 => (ops::Mul.into(), of(1.0)),
                    _ => (ops::Div.into(), of(1.0)),
                };
                let name = self.name("c");
                let constant = self.b.constant(name, constant).unwrap();
                let same = self.node(op, &[x, constant]);
                self.node(ops::Sigmoid, &[same])
            }
            11 => {
                // Padded for a product.
                let (rank, rows) = (shape.len(), shape[shape.len() - 1] + 1);
                let side = |at: usize| (0..rank).map(|axis| usize::from(axis + 1 == rank && at == 1)).collect();
                let padding = ops::Padding::Constant(self.numbers.of(2) as f32);
                let padded = self.node(ops::Pad { before: side(0), after: side(1), padding }, &[x]);
                let rows = if rank == 1 { self.node(ops::Reshape { shape: vec![1, rows] }, &[padded]) } else { padded };
                let columns = self.constant(&[shape[rank - 1] + 1, 2]);
                self.node(ops::MatMul, &[rows, columns])
            }
            12 => {
                // Integers that are moved before they pick.
                let (name, rows) = (self.name("x"), 2 + self.numbers.of(2));
                let values = (0..rows * 2).map(|_| self.numbers.of(shape[axis]) as i64).collect();
                self.inputs.push(Constant::from_integers(ElementType::I32, values, vec![rows, 2]));
                let ids = self.b.input(name, vec![rows, 2], ElementType::I32).unwrap();
                let moved = match self.numbers.of(3) {
                    0 => self.node(ops::Transpose { perm: vec![1, 0] }, &[ids]),
                    1 => self.node(ops::Reshape { shape: vec![rows * 2] }, &[ids]),
                    _ => self.node(ops::Slice { axis: 0, start: 1, end: rows }, &[ids]),
                };
                self.node(ops::Gather { axis }, &[x, moved])
            }
            13 if shape.len() < 4 => {
                // Each element of a row with each.
                let (before, last) = shape.split_at(shape.len() - 1);
                let to = |shape: [usize; 2]| ops::Reshape { shape: [before, &shape].concat() };
                let (column, row) = (self.node(to([last[0], 1]), &[x]), self.node(to([1, last[0]]), &[x]));
                self.node(ops::Mul, &[column, row])
            }
            _ => {
                // A constant that is computed.
                let (a, b) = (self.constant(&shape), self.constant(&shape[axis..]));
                let sum = self.node(ops::Add, &[a, b]);
                self.node(ops::Add, &[x, sum])
            }
        }
    }
}
