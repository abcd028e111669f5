//! What an operator reads: everything that stages behind the IR need to know of it without knowing which one it is.

use crate::ir::types::ElementType;

/// What an input is to its operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// An activation.
    Data,
    /// Factors of sums of products, with axes of output and input channels. The recipe chooses their integers.
    Weight,
    /// Factors of a normalization, one for each index of its axis. The target chooses their integers.
    Gain,
    /// An activation, or a constant of which the target chooses the integers.
    Operand,
    /// What is added to sums, one number for each channel. Its encoding follows from those of data and weights.
    Bias,
    /// Which elements are picked: integers without an encoding.
    Indices,
}

/// Which elements an input may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elements {
    /// Real numbers.
    Real,
    /// Integers of 32 or 64 bits.
    Index,
    /// Any; the outputs have the same.
    Any,
}

impl Elements {
    /// Whether an element type is one of them.
    pub fn take(self, element: ElementType) -> bool {
        match self {
            Elements::Real => element.is_real(),
            Elements::Index => matches!(element, ElementType::I32 | ElementType::I64),
            Elements::Any => true,
        }
    }

    /// The element type that is wanted where there is a choice of few.
    pub fn words(self) -> &'static str {
        match self {
            Elements::Real => "F32",
            Elements::Index => "I32",
            Elements::Any => "any type",
        }
    }
}

/// One input of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Name, as ONNX and the papers have it.
    pub name: &'static str,
    /// What it is.
    pub kind: InputKind,
    /// Which elements it may have.
    pub elements: Elements,
    /// Whether targets take it as a constant only.
    pub is_constant: bool,
}

impl Input {
    const fn new(name: &'static str, kind: InputKind) -> Self {
        Input { name, kind, elements: Elements::Real, is_constant: false }
    }

    /// An activation.
    pub const fn data(name: &'static str) -> Self {
        Self::new(name, InputKind::Data)
    }

    /// Elements of any type that are only moved.
    pub const fn moved(name: &'static str) -> Self {
        Input { elements: Elements::Any, ..Self::new(name, InputKind::Data) }
    }

    /// Weights that are constant.
    pub const fn weight(name: &'static str) -> Self {
        Input { is_constant: true, ..Self::new(name, InputKind::Weight) }
    }

    /// Weights where constant, an activation otherwise.
    pub const fn weight_or_data(name: &'static str) -> Self {
        Self::new(name, InputKind::Weight)
    }

    /// Factors of a normalization.
    pub const fn gain(name: &'static str) -> Self {
        Input { is_constant: true, ..Self::new(name, InputKind::Gain) }
    }

    /// An activation or a constant.
    pub const fn operand(name: &'static str) -> Self {
        Self::new(name, InputKind::Operand)
    }

    /// An operand that targets take as a constant only.
    pub const fn constant_operand(name: &'static str) -> Self {
        Input { is_constant: true, ..Self::operand(name) }
    }

    /// A bias.
    pub const fn bias(name: &'static str) -> Self {
        Input { is_constant: true, ..Self::new(name, InputKind::Bias) }
    }

    /// Indices.
    pub const fn indices(name: &'static str) -> Self {
        Input { elements: Elements::Index, ..Self::new(name, InputKind::Indices) }
    }
}

/// What an operator is, whatever its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The operator's name as reports and target files write it: the ONNX name where there is one.
    pub name: &'static str,
    /// The inputs in order.
    pub inputs: &'static [Input],
    /// So many of the inputs, from the last on, may be absent.
    pub optional: usize,
    /// Whether the last input may come more than once.
    pub repeats: bool,
    /// The operator of ONNX that stands for it; none for what has to be spelled out before it is written.
    pub onnx: Option<&'static str>,
    /// Whether it is spelled out before a target sees it.
    pub is_composite: bool,
    /// Whether it computes along one axis of its choice, which a target may want to be the last.
    pub has_axis: bool,
    /// Whether its first input is an image `[N,C,H,W]`, which engines turn to channels last.
    pub reads_image: bool,
}

impl Signature {
    /// The signature of an operator that has this name in ONNX too.
    pub const fn new(name: &'static str, inputs: &'static [Input]) -> Self {
        let onnx = Some(name);
        let (is_composite, has_axis, reads_image) = (false, false, false);
        Signature { name, inputs, optional: 0, repeats: false, onnx, is_composite, has_axis, reads_image }
    }

    /// The last so many inputs may be absent.
    pub const fn optional(self, optional: usize) -> Self {
        Signature { optional, ..self }
    }

    /// The last input may come more than once.
    pub const fn repeated(self) -> Self {
        Signature { repeats: true, ..self }
    }

    /// ONNX has another name for it, or none.
    pub const fn in_onnx(self, onnx: Option<&'static str>) -> Self {
        Signature { onnx, ..self }
    }

    /// It is spelled out before a target sees it.
    pub const fn composite(self) -> Self {
        Signature { is_composite: true, ..self }
    }

    /// It computes along one axis of its choice.
    pub const fn along_an_axis(self) -> Self {
        Signature { has_axis: true, ..self }
    }

    /// Its first input is an image.
    pub const fn on_images(self) -> Self {
        Signature { reads_image: true, ..self }
    }

    /// The input at a position; the last one again where it repeats.
    pub fn input(&self, position: usize) -> Option<&'static Input> {
        let last = self.inputs.last().filter(|_| self.repeats);
        self.inputs.get(position).or(last)
    }

    /// What the input at a position is.
    pub fn kind(&self, position: usize) -> Option<InputKind> {
        self.input(position).map(|input| input.kind)
    }

    /// Position of the input of a kind.
    pub fn position(&self, kind: InputKind) -> Option<usize> {
        self.inputs.iter().position(|input| input.kind == kind)
    }

    /// Whether it has sums of products with weights.
    pub fn has_weights(&self) -> bool {
        self.position(InputKind::Weight).is_some()
    }

    /// How many inputs it may have.
    pub fn arity(&self) -> std::ops::RangeInclusive<usize> {
        let most = if self.repeats { usize::MAX } else { self.inputs.len() };
        self.inputs.len() - self.optional..=most
    }
}
