//! What is made of all numbers along some axes, where it takes more than one operator.

use super::chain::Chain;
use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops::OpKind;
use autoneural_core::ir::{Op, ValueId, ops};

fn value(id: ValueId) -> Spelled {
    Ok(Some(vec![Known::Value(id)]))
}

/// The sum over the axes of another reduction.
fn sum_of(told: &Told) -> Result<ops::ReduceSum, String> {
    let mut sum = told.onnx.clone();
    sum.op_type = "ReduceSum".into();
    // The axes of a sum are an input since operator set 13, those of the others since 18.
    sum.opset = if sum.opset < 18 { 11 } else { sum.opset };
    let kind = OpKind::of_onnx("ReduceSum").ok_or("is not supported")?;
    match (kind.from_onnx)(&sum)?.operator {
        Op::ReduceSum(sum) => Ok(sum),
        _ => Err("is not supported".into()),
    }
}

/// A sum of sizes, or of squares.
pub fn of_each<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let sum = sum_of(told)?;
    let x = making.input(told, 0)?;
    let name = told.name();
    let each = match told.node.op_type.as_str() {
        "ReduceL1" => making.step(format!("{name}.size"), ops::Abs, &[x])?,
        _ => making.step(format!("{name}.square"), ops::Mul, &[x, x])?,
    };
    value(making.last(name, sum, &[each])?)
}

/// The logarithm of a sum.
pub fn log_sum<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let mut chain = Chain::default();
    chain.then("sum", sum_of(told)?, &[]);
    chain.then("log", ops::Log, &[]);
    let x = making.input(told, 0)?;
    value(chain.of(making, told.name(), x)?)
}

/// What is below the largest along some axes, the largest, and the logarithm of the sum of what exponentials make of
/// the former. So no logarithm is taken of a number near 0, which integers do not have.
fn parts<'m>(making: &mut Making<'m>, told: &Told<'m>, axes: &[usize], keepdims: bool) -> Result<[ValueId; 3], String> {
    let (x, name) = (making.input(told, 0)?, told.name());
    let largest = ops::ReduceMax { axes: axes.to_vec(), keepdims: true };
    let largest = making.step(format!("{name}.largest"), largest, &[x])?;
    let below = making.step(format!("{name}.below"), ops::Sub, &[x, largest])?;
    let powers = making.step(format!("{name}.powers"), ops::Exp, &[below])?;
    let sum = ops::ReduceSum { axes: axes.to_vec(), keepdims };
    let sum = making.step(format!("{name}.sum"), sum, &[powers])?;
    let log = making.step(format!("{name}.log"), ops::Log, &[sum])?;
    Ok([below, largest, log])
}

/// The logarithm of the shares of a softmax.
pub fn log_softmax<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["axis"], 1)?;
    let axis = told.onnx.axis(Some(if told.onnx.opset < 13 { 1 } else { -1 }))?;
    if told.onnx.opset < 13 && axis + 1 != told.shape(0)?.len() {
        return Err("sums over several axes, as before operator set 13; the last axis is supported".into());
    }
    let [below, _, log] = parts(making, told, &[axis], true)?;
    value(making.last(told.name(), ops::Sub, &[below, log])?)
}

/// The logarithm of the sum of exponentials.
pub fn log_sum_exp<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let ops::ReduceSum { axes, keepdims } = sum_of(told)?;
    let [_, mut largest, log] = parts(making, told, &axes, keepdims)?;
    let shape = making.shape(log).clone();
    if *making.shape(largest) != shape {
        largest = making.step(format!("{}.offset", told.name()), ops::Reshape { shape }, &[largest])?;
    }
    value(making.last(told.name(), ops::Add, &[largest, log])?)
}

/// The largest of each whole picture.
pub fn global_max<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&[], 1)?;
    let axes: Vec<usize> = (2..told.shape(0)?.len()).collect();
    let x = making.input(told, 0)?;
    value(making.last(told.name(), ops::ReduceMax { axes, keepdims: true }, &[x])?)
}

/// Rows along an axis, divided by their length.
pub fn lp_normalization<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["axis", "p"], 1)?;
    let axes = vec![told.onnx.axis(Some(-1))?];
    let (x, name) = (making.input(told, 0)?, told.name());
    let length = match told.onnx.int("p", 2)? {
        1 => {
            let sizes = making.step(format!("{name}.sizes"), ops::Abs, &[x])?;
            making.step(format!("{name}.length"), ops::ReduceSum { axes, keepdims: true }, &[sizes])?
        }
        2 => making.step(format!("{name}.length"), ops::ReduceL2 { axes, keepdims: true }, &[x])?,
        other => return Err(format!("with `p` {other} is not supported; 1 and 2 are")),
    };
    // Rows of zeros stay what they are.
    let some = ops::Clip { min: Some(1e-12), max: None };
    let length = making.step(format!("{name}.some"), some, &[length])?;
    value(making.last(name, ops::Div, &[x, length])?)
}

/// `x / (bias + alpha / size * sum of squares of channels near by) ^ beta` (Krizhevsky et al., NIPS 2012). The sum is a
/// convolution, whose weights are alike.
pub fn local_response<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["alpha", "beta", "bias", "size"], 1)?;
    let &[_, channels, _, _] = told.shape(0)?.as_slice() else {
        return Err(format!("normalizes {:?}; four axes are supported", told.shape(0)?));
    };
    let size = match usize::try_from(told.onnx.int("size", 0)?) {
        Ok(size) if size > 0 => size,
        _ => return Err("does not say over how many channels".into()),
    };
    let (alpha, beta) = (told.onnx.float("alpha", 1e-4)?, told.onnx.float("beta", 0.75)?);
    crate::onnx::fold::counted(&[channels, channels])?;
    let (before, after) = ((size - 1) / 2, (size - 1).div_ceil(2));
    let is_near = |to: usize, from: usize| from + before >= to && from <= to.saturating_add(after);
    let weight = |at: usize| if is_near(at / channels, at % channels) { alpha / size as f32 } else { 0.0 };
    let weights = (0..channels * channels).map(weight).collect();
    let name = told.name();
    let x = making.input(told, 0)?;
    let weights = making.numbers(format!("{name}.near"), weights, vec![channels, channels, 1, 1])?;
    let bias = making.numbers(format!("{name}.bias"), vec![told.onnx.float("bias", 1.0)?; channels], vec![channels])?;
    let square = making.step(format!("{name}.square"), ops::Mul, &[x, x])?;
    let conv = ops::Conv { strides: [1; 2], pads: [0; 4], groups: 1, dilations: [1; 2] };
    let sum = making.step(format!("{name}.sum"), conv, &[square, weights, bias])?;
    let exponent = making.numbers(format!("{name}.exponent"), vec![-beta], vec![1])?;
    let factor = making.step(format!("{name}.factor"), ops::Pow, &[sum, exponent])?;
    value(making.last(name, ops::Mul, &[x, factor])?)
}
