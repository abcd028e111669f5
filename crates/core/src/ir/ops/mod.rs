//! The operators of the IR, one file each. Semantics are those of the ONNX operator of the same name unless the text
//! says otherwise.
//!
//! A new operator is a file with a type that is an [`Operator`], and a line in the list at the end of this file. What
//! every other part of the program wants to know of it, it asks [`Op`] and [`Signature`].
//!
//! ```
//! use autoneural_core::ir::{Builder, Constant, ElementType, ops};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut b = Builder::new("linear");
//! let x = b.input("x", vec![1, 3], ElementType::F32)?;
//! let w = b.constant("w", Constant::from_values(vec![1.0; 6], vec![3, 2]))?;
//! let y = b.node("y", ops::MatMul, &[x, w])?;
//! let graph = b.finish(vec![y]);
//! let product = &graph.nodes()[0].op;
//! assert!(product.signature().has_weights());
//! assert_eq!(product.weight_axes(2).and_then(|axes| axes.output), Some(1));
//! assert_eq!(graph.value(y).shape, [1, 2]);
//! # Ok(())
//! # }
//! ```

mod arg;
mod arithmetic;
mod axes;
mod elementwise;
mod onnx;
mod operator;
mod pairwise;
#[cfg(test)]
mod properties;
mod reduction;
mod rows;
mod sample;
mod sampling;
mod shapes;
mod signature;
mod some_rows;
mod windows;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use onnx::{Attribute, Extra, Imported, OnnxForm, OnnxInput, OnnxNode};
pub use operator::{Axes, Operator, Work};
pub use rows::{Rows, Run, WindowAxis};
pub use sample::{Chance, Constants, Purpose, Sample, SampleInput};
pub use sampling::{Axis, Coordinates, Mode, Nearest, Sampling};
pub use signature::{Elements, Input, InputKind, Signature};
pub use some_rows::SomeRows;

use super::constant::Constant;
use super::types::{ElementType, Shape};

/// An operator of the list, whatever its attributes.
pub struct OpKind {
    /// What it reads, and its names.
    pub signature: Signature,
    /// One-operator graphs that show on an engine what it takes.
    pub samples: fn(Constants) -> Vec<Sample<Op>>,
    /// A small random case, for tests of properties.
    pub draw: fn(&mut Chance) -> Sample<Op>,
    /// The operator that a node of ONNX stands for.
    pub from_onnx: fn(&OnnxNode) -> Result<Imported<Op>, String>,
}

impl OpKind {
    /// The operator of a name ([`Signature::name`]).
    pub fn of_name(name: &str) -> Option<&'static OpKind> {
        OPERATORS.iter().find(|kind| kind.signature.name == name)
    }

    /// The operator that a node of ONNX of this operator type stands for.
    pub fn of_onnx(op_type: &str) -> Option<&'static OpKind> {
        OPERATORS.iter().find(|kind| kind.signature.onnx == Some(op_type))
    }
}

/// Makes of a list of `file::Type` the modules, [`Op`] and [`OPERATORS`].
macro_rules! operators {
    ($($file:ident :: $name:ident,)*) => {
        $(mod $file; pub use $file::$name;)*

        /// An operator with its attributes. Inputs and outputs live in the node.
        #[derive(Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "op")]
        pub enum Op {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        /// All operators.
        pub const OPERATORS: &[OpKind] = &[$(OpKind {
            signature: $name::SIGNATURE,
            samples: |constants| $name::samples(constants).into_iter().map(|sample| sample.map(Op::$name)).collect(),
            draw: |chance| $name::draw(chance).map(Op::$name),
            from_onnx: |node| $name::from_onnx(node).map(|made| made.map(Op::$name)),
        },)*];

        $(impl From<$name> for Op {
            fn from(operator: $name) -> Op {
                Op::$name(operator)
            }
        })*

        impl fmt::Debug for Op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Op::$name(operator) => fmt::Debug::fmt(operator, f),)* }
            }
        }

        impl Op {
            /// What the operator reads, and its names.
            pub fn signature(&self) -> &'static Signature {
                match self { $(Op::$name(_) => const { &$name::SIGNATURE },)* }
            }

            /// What it does to numbers.
            pub fn work(&self) -> Work {
                match self { $(Op::$name(operator) => operator.work(),)* }
            }

            /// Products that are added up for an output of this shape.
            pub fn multiply_adds(&self, inputs: &[&Shape], made: &Shape) -> u64 {
                match self { $(Op::$name(operator) => operator.multiply_adds(inputs, made),)* }
            }

            /// Axes of its weights if they have this rank, for one that has weights.
            pub fn weight_axes(&self, rank: usize) -> Option<Axes> {
                match self { $(Op::$name(operator) => operator.weight_axes(rank),)* }
            }

            /// What of its data is multiplied with weights of this shape, for one that has weights
            /// ([`Operator::rows`]).
            pub fn rows(&self, weights: &[usize]) -> Option<Rows> {
                match self { $(Op::$name(operator) => operator.rows(weights),)* }
            }

            /// Whether with weights of this shape each output channel sums over one input channel only.
            pub fn is_depthwise(&self, weights: &[usize]) -> bool {
                match self { $(Op::$name(operator) => operator.is_depthwise(weights),)* }
            }

            /// The axis along which it computes, for those whose signature has one.
            pub fn axis(&self) -> Option<usize> {
                match self { $(Op::$name(operator) => operator.axis(),)* }
            }

            /// The range of its output, where the shapes of what it reads say it.
            pub fn range(&self, inputs: &[&Shape]) -> Option<[f32; 2]> {
                match self { $(Op::$name(operator) => operator.range(inputs),)* }
            }

            /// The axis of a result of this rank that takes factors through constants ([`Operator::scaled_axis`]).
            pub fn scaled_axis(&self, rank: usize) -> Option<usize> {
                match self { $(Op::$name(operator) => operator.scaled_axis(rank),)* }
            }

            /// How ONNX writes it; none for what has to be spelled out before.
            pub fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm> {
                match self { $(Op::$name(operator) => operator.to_onnx(inputs),)* }
            }

            /// What weights of this shape say of it, in few words for a drawing.
            pub fn words(&self, weights: &[usize]) -> Option<String> {
                match self { $(Op::$name(operator) => operator.words(weights),)* }
            }

            fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
                match self { $(Op::$name(operator) => operator.shapes(inputs),)* }
            }

            fn evaluated(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
                match self { $(Op::$name(operator) => operator.evaluate(inputs, shapes),)* }
            }
        }
    };
}

/// Shapes and element types of inputs.
pub type Types<'a> = [(&'a Shape, ElementType)];

impl Op {
    /// The operator's name as reports and target files write it: the ONNX name where there is one.
    pub fn name(&self) -> &'static str {
        self.signature().name
    }

    /// Shapes and element types of the outputs, or what is wrong with the inputs. Also the place where impossible
    /// combinations are refused.
    ///
    /// # Errors
    /// Says in words what does not fit.
    pub fn infer(&self, inputs: &Types) -> Result<Vec<(Shape, ElementType)>, String> {
        let (signature, name) = (self.signature(), self.name());
        let arity = signature.arity();
        if !arity.contains(&inputs.len()) {
            return Err(format!("{name} takes {arity:?} inputs, not {}", inputs.len()));
        }
        let first = inputs[0].1;
        for (position, (shape, element)) in inputs.iter().enumerate() {
            let elements = signature.input(position).map_or(Elements::Any, |input| input.elements);
            let is_other = elements == Elements::Any && *element != first;
            if !elements.take(*element) || is_other {
                let wanted = if is_other { format!("{first:?}") } else { elements.words().to_string() };
                return Err(format!("{name} input {position} is {element:?}, {wanted} is wanted"));
            }
            if shape.contains(&0) {
                return Err(format!("{name} input {position} has an axis of size 0: {shape:?}"));
            }
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|(shape, _)| *shape).collect();
        let made = self.shapes(&shapes)?;
        let element = if signature.inputs[0].elements == Elements::Any { first } else { ElementType::F32 };
        Ok(made.into_iter().map(|shape| (shape, element)).collect())
    }

    /// True for operators that move elements without computing: their inputs and outputs share one encoding.
    pub fn moves_data_only(&self) -> bool {
        self.work() == Work::Moves
    }

    /// True for a change of encoding, which is no node of the models that are written.
    pub fn requantizes(&self) -> bool {
        self.work() == Work::Requantizes
    }

    /// The axis of output channels of a constant of this rank at an input.
    pub fn channel_axis(&self, input: usize, rank: usize) -> Option<usize> {
        match self.signature().kind(input)? {
            InputKind::Weight => self.weight_axes(rank)?.output,
            InputKind::Gain | InputKind::Bias => Some(0),
            InputKind::Data | InputKind::Operand | InputKind::Indices => None,
        }
    }

    /// The outputs for constant inputs, in float and in plain loops.
    ///
    /// # Errors
    /// As for [`Op::infer`].
    pub fn evaluate(&self, inputs: &[Constant]) -> Result<Vec<Constant>, String> {
        let types: Vec<_> = inputs.iter().map(|input| (input.shape(), input.element_type())).collect();
        let shapes = self.infer(&types)?.into_iter().map(|(shape, _)| shape).collect();
        Ok(self.evaluated(inputs, shapes))
    }
}

operators! {
    abs::Abs,
    add::Add,
    arg_max::ArgMax,
    arg_min::ArgMin,
    attention::Attention,
    average_pool::AveragePool,
    ceil::Ceil,
    clip::Clip,
    concat::Concat,
    conv::Conv,
    conv_transpose::ConvTranspose,
    cos::Cos,
    depth_to_space::DepthToSpace,
    div::Div,
    elu::Elu,
    erf::Erf,
    exp::Exp,
    floor::Floor,
    gather::Gather,
    gelu::Gelu,
    global_average_pool::GlobalAveragePool,
    hard_sigmoid::HardSigmoid,
    hard_swish::HardSwish,
    instance_norm::InstanceNorm,
    layer_norm::LayerNorm,
    leaky_relu::LeakyRelu,
    log::Log,
    mat_mul::MatMul,
    max::Max,
    max_pool::MaxPool,
    min::Min,
    mish::Mish,
    mul::Mul,
    neg::Neg,
    p_relu::PRelu,
    pad::Pad,
    pow::Pow,
    reciprocal::Reciprocal,
    reduce_l2::ReduceL2,
    reduce_max::ReduceMax,
    reduce_mean::ReduceMean,
    reduce_min::ReduceMin,
    reduce_sum::ReduceSum,
    relu::Relu,
    requantize::Requantize,
    reshape::Reshape,
    resize::Resize,
    rms_norm::RmsNorm,
    rope::Rope,
    round::Round,
    selu::Selu,
    sigmoid::Sigmoid,
    sign::Sign,
    silu::Silu,
    sin::Sin,
    slice::Slice,
    softmax::Softmax,
    softplus::Softplus,
    space_to_depth::SpaceToDepth,
    split::Split,
    sqrt::Sqrt,
    sub::Sub,
    tanh::Tanh,
    transpose::Transpose,
}
pub use gelu::GeluKind;
pub use pad::{Amounts, Padding};
pub use resize::Interpolation;
