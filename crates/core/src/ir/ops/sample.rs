//! Samples: an operator with inputs for it, as experiments and tests of properties want it.

use crate::ir::types::Shape;

/// Which inputs of an operator are to be constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constants {
    /// The second.
    pub weights: bool,
    /// The third.
    pub bias: bool,
}

/// What a sample is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Whether, and how well, an engine computes the operator.
    Usual,
    /// Whether it takes the operator on an axis that is not the last.
    AnotherAxis,
    /// Whether the ends of a bounded output are reached, and never left.
    Ends,
    /// As usual, with weights that have enough input channels for the largest blocks.
    Blocks,
}

/// One input of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleInput {
    /// An activation of this shape.
    Read(Shape),
    /// An activation of this shape, of numbers above zero.
    Positive(Shape),
    /// A constant of this shape, whose numbers have this deviation; around 1 if it has one axis, as trained factors
    /// are.
    Constant(Shape, f32),
    /// A constant of this shape, of numbers above zero.
    PositiveConstant(Shape),
    /// A constant bias of so many channels.
    Bias(usize),
    /// Indices that are read.
    Indices(Vec<i32>),
}

/// Deviation of activations as behind a normalization of a trained network.
const USUAL: f32 = 1.0;
/// Deviation of activations that reach the ends of a bounded output.
const WIDE: f32 = 8.0;

/// An operator with inputs for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<O> {
    /// What sets it apart from other samples of the operator.
    pub name: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// The operator.
    pub operator: O,
    /// Its inputs in order.
    pub inputs: Vec<SampleInput>,
    /// Deviation of the activations.
    pub deviation: f32,
}

impl<O> Sample<O> {
    /// A sample of the usual purpose.
    pub fn new(name: &'static str, operator: O, inputs: Vec<SampleInput>) -> Self {
        Sample { name, purpose: Purpose::Usual, operator, inputs, deviation: USUAL }
    }

    /// With activations of this deviation.
    pub fn sized(self, deviation: f32) -> Self {
        Sample { deviation, ..self }
    }

    /// On an axis that is not the last.
    pub fn on_another_axis(self) -> Self {
        Sample { purpose: Purpose::AnotherAxis, ..self }
    }

    /// The same for weights in blocks.
    pub fn with_blocks(self) -> Self {
        Sample { purpose: Purpose::Blocks, ..self }
    }

    /// With inputs that drive the output to its ends.
    pub fn to_the_ends(self) -> Self {
        Sample { purpose: Purpose::Ends, deviation: WIDE, ..self }
    }

    /// The same with another type of operator.
    pub fn map<P>(self, turn: impl FnOnce(O) -> P) -> Sample<P> {
        let Sample { name, purpose, operator, inputs, deviation } = self;
        Sample { name, purpose, operator: turn(operator), inputs, deviation }
    }
}

/// One sample of an operator that reads one activation of `[1,16,64]`.
pub fn unary<O>(operator: O) -> Vec<Sample<O>> {
    vec![Sample::new("", operator, vec![read([1, 16, 64])])]
}

/// Inputs of an operator of two tensors that broadcast, by name: activations both, or one of them a constant.
pub fn pairs(constants: Constants) -> Vec<(&'static str, Vec<SampleInput>)> {
    let (rows, picture, channels) = ([1, 16, 64], [1, 16, 8, 8], [1, 16, 1, 1]);
    if constants.weights {
        return vec![
            ("", vec![read(rows), constant([64], 0.5)]),
            ("by channel", vec![read(picture), constant(channels, 0.5)]),
            ("one number", vec![read(rows), constant([], 0.5)]),
            ("constant first", vec![constant([64], 0.5), read(rows)]),
            ("one number first", vec![constant([], 0.5), read(rows)]),
        ];
    }
    vec![
        ("", vec![read(rows), read(rows)]),
        ("by channel", vec![read(picture), read(channels)]),
        ("by channel first", vec![read(channels), read(picture)]),
        ("both broadcast", vec![read([1, 16, 1]), read([1, 1, 64])]),
    ]
}

/// Random inputs of two shapes that broadcast.
pub fn broadcast_pair(chance: &mut Chance) -> Vec<SampleInput> {
    let shape = chance.shape();
    let kept = chance.of(0..=shape.len() - 1);
    let mut part =
        |shape: &[usize]| -> Shape { shape.iter().map(|&size| if chance.yes() { size } else { 1 }).collect() };
    let (first, second) = (part(&shape), part(&shape[kept..]));
    match chance.of(0..=3) {
        0 | 1 => vec![read(first), read(second)],
        2 => vec![read(first), constant(second, 1.0)],
        _ => vec![constant(first, 1.0), read(second)],
    }
}

/// An activation of this shape.
pub fn read(shape: impl Into<Shape>) -> SampleInput {
    SampleInput::Read(shape.into())
}

/// An activation of this shape, of numbers above zero.
pub fn positive(shape: impl Into<Shape>) -> SampleInput {
    SampleInput::Positive(shape.into())
}

/// A constant of this shape and deviation.
pub fn constant(shape: impl Into<Shape>, deviation: f32) -> SampleInput {
    SampleInput::Constant(shape.into(), deviation)
}

/// Where random cases get their choices from.
pub struct Chance<'a> {
    next: &'a mut dyn FnMut() -> u32,
}

impl<'a> Chance<'a> {
    /// Choices made from these numbers.
    pub fn new(next: &'a mut dyn FnMut() -> u32) -> Self {
        Chance { next }
    }

    /// A number of a range.
    pub fn of(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        let (low, high) = range.into_inner();
        low + (self.next)() as usize % (high - low + 1)
    }

    /// Yes or no.
    pub fn yes(&mut self) -> bool {
        self.of(0..=1) == 1
    }

    /// One of several.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.of(0..=of.len() - 1)]
    }

    /// A shape of one to four small axes.
    pub fn shape(&mut self) -> Shape {
        let rank = self.of(1..=4);
        (0..rank).map(|_| self.of(1..=5)).collect()
    }

    /// A random activation of a random shape.
    pub fn read(&mut self) -> SampleInput {
        SampleInput::Read(self.shape())
    }
}
