//! What a file of an operator has to say. [`super::Op`] passes questions on to the operator that it is.

use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::rows::Rows;
use super::sample::{Chance, Constants, Sample};
use super::signature::Signature;
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// What an operator does to numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It moves elements without computing: its inputs and outputs share one encoding.
    Moves,
    /// It leaves numbers as they are; their encoding changes.
    Requantizes,
    /// A few steps for each element: cheap on every device.
    Elementwise,
    /// Anything else: what an NPU is for.
    Computes,
}

/// Axes of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// The output channels, each of which may have a scale of its own; none where no axis tells them apart.
    pub output: Option<usize>,
    /// The input channels, over which products are summed.
    pub input: usize,
}

/// An operator with its attributes. Inputs and outputs live in the node.
///
/// What takes `inputs` is asked only about inputs that [`Operator::shapes`] takes, of element types that the signature
/// takes.
pub trait Operator: Sized {
    /// What it reads, and its names.
    const SIGNATURE: Signature;

    /// Shapes of the outputs, or what is wrong with those of the inputs. Their number is right, and no axis has the
    /// size 0.
    ///
    /// # Errors
    /// Says in words which shapes do not fit.
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String>;

    /// What it does to numbers.
    fn work(&self) -> Work;

    /// Products that are added up for the output, if it has weights or multiplies matrices.
    fn multiply_adds(&self, _inputs: &[&Shape], _made: &Shape) -> u64 {
        0
    }

    /// Axes of weights of this rank, if it has weights.
    fn weight_axes(&self, _rank: usize) -> Option<Axes> {
        None
    }

    /// The rows of the data that are multiplied with weights of this shape, in the order of the weights' input channels
    /// and kernel; what is made is linear in them.
    fn rows(&self, _weights: &[usize]) -> Option<Rows> {
        None
    }

    /// Whether with weights of this shape each output channel sums over one input channel only.
    fn is_depthwise(&self, _weights: &[usize]) -> bool {
        false
    }

    /// The axis along which it computes, for those whose signature has one.
    fn axis(&self) -> Option<usize> {
        None
    }

    /// The axis of a result of this rank that takes factors through constants: with weights, gains and bias multiplied
    /// along their channels, the result is multiplied along this axis.
    fn scaled_axis(&self, _rank: usize) -> Option<usize> {
        None
    }

    /// The range of its output, where the shapes of what it reads say it.
    fn range(&self, _inputs: &[&Shape]) -> Option<[f32; 2]> {
        None
    }

    /// The outputs for constant inputs: the float reference, and what is computed at compile time.
    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant>;

    /// How ONNX writes it; none for what has to be spelled out before.
    fn to_onnx(&self, inputs: &[&Shape]) -> Option<OnnxForm>;

    /// The operator that a node of ONNX stands for.
    ///
    /// # Errors
    /// Says in words what of the node is not taken.
    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String>;

    /// What weights of this shape say of it, in few words for a drawing.
    fn words(&self, _weights: &[usize]) -> Option<String> {
        None
    }

    /// One-operator graphs that show on an engine what it takes.
    fn samples(constants: Constants) -> Vec<Sample<Self>>;

    /// A small random case, for tests of properties.
    fn draw(chance: &mut Chance) -> Sample<Self>;
}
