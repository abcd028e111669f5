//! Windows along one axis, which are windows of height 1 along two; and windows over the whole image.

use super::frames;
use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops::{Attribute, OnnxNode, OpKind};
use autoneural_core::ir::{Constant, Shape, ValueId, ops};

/// Doubles attributes of windows along one axis for windows along two.
fn widened(name: &str, value: &Attribute) -> Attribute {
    match (name, value) {
        ("kernel_shape" | "strides" | "dilations", Attribute::Ints(sizes)) if sizes.len() == 1 => {
            Attribute::Ints(vec![1, sizes[0]])
        }
        ("output_padding" | "output_shape", Attribute::Ints(sizes)) if sizes.len() == 1 => {
            Attribute::Ints(vec![if name == "output_padding" { 0 } else { 1 }, sizes[0]])
        }
        ("pads", Attribute::Ints(sizes)) if sizes.len() == 2 => Attribute::Ints(vec![0, sizes[0], 0, sizes[1]]),
        _ => value.clone(),
    }
}

/// `[N,C,L]` as `[N,C,1,L]`.
fn higher(shape: &[usize]) -> Shape {
    [&shape[..2], &[1], &shape[2..]].concat()
}

/// The same node on images of height 1; none where it is of another rank.
fn on_images(told: &Told) -> Option<OnnxNode> {
    if told.shape(0).ok()?.len() != 3 {
        return None;
    }
    let mut node = told.onnx.clone();
    for (name, value) in &mut node.attributes {
        *value = widened(name, value);
    }
    for input in node.inputs.iter_mut().flatten().filter(|input| input.shape.len() == 3) {
        input.shape = higher(&input.shape);
        input.constant = input.constant.as_ref().map(|constant| constant.reshaped(input.shape.clone()));
    }
    Some(node)
}

/// The values that an operator on images reads, with an axis of height 1.
fn read<'m>(making: &mut Making<'m>, told: &Told<'m>, at: usize) -> Result<ValueId, String> {
    let shape = told.shape(at)?.clone();
    match (shape.len(), told.constant(at)) {
        (3, Some(constant)) => making.changed(&told.node.inputs[at], constant.reshaped(higher(&shape))),
        (3, None) => {
            let x = making.input(told, at)?;
            making.step(format!("{}.in{at}", told.name()), ops::Reshape { shape: higher(&shape) }, &[x])
        }
        _ => making.input(told, at),
    }
}

/// An operator with windows along one axis.
fn along_one_axis<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let Some(node) = on_images(told) else { return Ok(None) };
    let kind = OpKind::of_onnx(&node.op_type).ok_or("is not supported")?;
    let imported = (kind.from_onnx)(&node)?;
    let inputs = imported.inputs.iter().map(|&at| read(making, told, at)).collect::<Result<Vec<_>, _>>()?;
    let made = making.step(format!("{}.image", told.name()), imported.operator, &inputs)?;
    let mut shape = making.shape(made).clone();
    shape.remove(2);
    Ok(Some(vec![Known::Value(making.reshaped(told.name(), made, shape)?)]))
}

pub fn conv<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    match told.node.op_type == "Conv" && told.shape(0)?.len() == 5 {
        true => frames::conv(making, told),
        false => along_one_axis(making, told),
    }
}

pub fn pool<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    along_one_axis(making, told)
}

/// The mean over the whole image: a window of its size.
pub fn global_average<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let shape = told.shape(0)?.clone();
    if OpKind::of_onnx("GlobalAveragePool").is_some() || !(3..=4).contains(&shape.len()) {
        return Ok(None);
    }
    let image = if shape.len() == 3 { higher(&shape) } else { shape.clone() };
    let pool = average(&image)?;
    let x = read(making, told, 0)?;
    if shape.len() == 4 {
        return Ok(Some(vec![Known::Value(making.last(told.name(), pool, &[x])?)]));
    }
    let made = making.step(format!("{}.image", told.name()), pool, &[x])?;
    Ok(Some(vec![Known::Value(making.reshaped(told.name(), made, vec![shape[0], shape[1], 1])?)]))
}

/// The operator that takes the mean of an image, read as ONNX writes it.
fn average(image: &[usize]) -> Result<ops::Op, String> {
    let kernel = Attribute::Ints(image[2..].iter().map(|&size| size as i64).collect());
    let node = OnnxNode {
        op_type: "AveragePool".into(),
        opset: 13,
        attributes: vec![("kernel_shape".into(), kernel)],
        inputs: vec![Some(ops::OnnxInput {
            shape: image.to_vec(),
            element: autoneural_core::ir::ElementType::F32,
            constant: None::<Constant>,
        })],
        outputs: 1,
    };
    let kind = OpKind::of_onnx("AveragePool").ok_or("is not supported")?;
    Ok((kind.from_onnx)(&node)?.operator)
}
