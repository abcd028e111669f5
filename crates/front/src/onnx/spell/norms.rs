//! Normalizations in forms that the IR does not have.

use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops::{OnnxInput, OpKind};
use autoneural_core::ir::{ElementType, ops};

/// Without a bias it gets one of zeros.
pub fn layer_norm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    if told.onnx.has(2) {
        return Ok(None);
    }
    let size = *told.shape(0)?.last().ok_or("has an input without axes")?;
    let mut whole = told.onnx.clone();
    whole.inputs.push(Some(OnnxInput { shape: vec![size], element: ElementType::F32, constant: None }));
    let kind = OpKind::of_onnx("LayerNormalization").ok_or("is not supported")?;
    let op = (kind.from_onnx)(&whole)?.operator;
    let (x, gain) = (making.input(told, 0)?, making.input(told, 1)?);
    let bias = making.numbers(format!("{}.bias", told.name()), vec![0.0; size], vec![size])?;
    Ok(Some(vec![Known::Value(making.last(told.name(), op, &[x, gain, bias])?)]))
}

/// Up to operator set 12 all axes from one on sum to one together.
pub fn softmax<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let shape = told.shape(0)?.clone();
    if told.onnx.opset >= 13 {
        return Ok(None);
    }
    told.onnx.expect(&["axis"], 1)?;
    let axis = told.onnx.axis(Some(1))?;
    let name = told.name();
    let rest: usize = shape[axis..].iter().product();
    // Axes of size 1 behind it change nothing.
    if axis + 1 == shape.len() || rest == shape[axis] {
        let x = making.input(told, 0)?;
        return Ok(Some(vec![Known::Value(making.last(name, ops::Softmax { axis }, &[x])?)]));
    }
    let joined = [&shape[..axis], &[rest]].concat();
    let x = making.input(told, 0)?;
    let x = making.step(format!("{name}.joined"), ops::Reshape { shape: joined }, &[x])?;
    let made = making.step(format!("{name}.softmax"), ops::Softmax { axis }, &[x])?;
    Ok(Some(vec![Known::Value(making.reshaped(name, made, shape)?)]))
}
