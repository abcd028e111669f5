//! Normalizations in forms that the IR does not have.

use super::chain::Chain;
use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops::{OnnxInput, OpKind};
use autoneural_core::ir::{ElementType, Shape, ValueId, ops};

/// What keeps a quotient by a deviation of 0 a number.
const SMALLEST: f32 = 1e-12;

fn made(id: ValueId) -> Spelled {
    Ok(Some(vec![Known::Value(id)]))
}

/// The last axis alone is the operator of the IR, which gets a bias of zeros where there is none. Over several axes it
/// is a standardization, a product and a sum.
pub fn layer_norm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let shape = told.shape(0)?.clone();
    let axis = told.onnx.axis(Some(-1))?;
    let name = told.name();
    if axis + 1 == shape.len() {
        if told.onnx.has(2) {
            return Ok(None);
        }
        let size = shape[axis];
        let mut whole = told.onnx.clone();
        whole.inputs.push(Some(OnnxInput { shape: vec![size], element: ElementType::F32, constant: None }));
        let kind = OpKind::of_onnx("LayerNormalization").ok_or("is not supported")?;
        let op = (kind.from_onnx)(&whole)?.operator;
        let (x, gain) = (making.input(told, 0)?, making.input(told, 1)?);
        let bias = making.numbers(format!("{name}.bias"), vec![0.0; size], vec![size])?;
        return Ok(Some(vec![Known::Value(making.last(name, op, &[x, gain, bias])?)]));
    }
    told.onnx.expect(&["axis", "epsilon", "stash_type"], 17)?;
    told.onnx.demand_int("stash_type", 1)?;
    if told.onnx.outputs != 1 {
        return Err("LayerNormalization that gives its mean and deviation is not supported".into());
    }
    let epsilon = told.onnx.float("epsilon", 1e-5)?;
    let axes: Vec<usize> = (axis..shape.len()).collect();
    let x = making.input(told, 0)?;
    let gain = making.input(told, 1)?;
    let bias = if told.onnx.has(2) { Some(making.input(told, 2)?) } else { None };
    let mut chain = Chain::default();
    standardize(making, &mut chain, &shape, &axes, epsilon)?;
    learned(&mut chain, Some(gain), bias);
    made(chain.of(making, name, x)?)
}

/// Over several axes they are one in between.
pub fn rms_norm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let shape = told.shape(0)?.clone();
    let axis = told.onnx.axis(Some(-1))?;
    if axis + 1 == shape.len() {
        return Ok(None);
    }
    told.onnx.expect(&["axis", "epsilon", "stash_type"], 23)?;
    told.onnx.demand_int("stash_type", 1)?;
    let (size, name): (usize, _) = (shape[axis..].iter().product(), told.name());
    let (x, gain) = (making.input(told, 0)?, making.input(told, 1)?);
    let joined = [&shape[..axis], &[size]].concat();
    let x = making.step(format!("{name}.joined"), ops::Reshape { shape: joined }, &[x])?;
    let gain = making.step(format!("{name}.gain"), ops::Reshape { shape: vec![size] }, &[gain])?;
    let norm = ops::RmsNorm { axis, epsilon: told.onnx.float("epsilon", 1e-5)? };
    let made = making.step(format!("{name}.norm"), norm, &[x, gain])?;
    Ok(Some(vec![Known::Value(making.reshaped(name, made, shape)?)]))
}

/// `(x - mean) / sqrt(variance + epsilon)` over some axes, ascending, of a value of this shape. On an NPU the operator
/// for images does this best, with nothing in it that was learned: its factors cost 20 dB in integers of 8 bits, a
/// layer normalization of 100,000 elements may give nothing but noise, and one in small steps underflows.
fn standardize(
    making: &mut Making,
    chain: &mut Chain,
    shape: &[usize],
    axes: &[usize],
    epsilon: f32,
) -> Result<(), String> {
    let rest: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let perm = [&rest[..], axes].concat();
    let size = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).product::<usize>();
    let (channels, count) = (size(&rest), size(axes));
    let width = axes.last().map_or(1, |&axis| shape[axis]);
    let image = vec![1, channels, count / width, width];
    let turned: Shape = perm.iter().map(|&axis| shape[axis]).collect();
    if !perm.is_sorted() {
        chain.then("turned", ops::Transpose { perm: perm.clone() }, &[]);
    }
    if turned != image {
        chain.then("image", ops::Reshape { shape: image.clone() }, &[]);
    }
    let ones = making.numbers("ones".into(), vec![1.0; channels], vec![channels])?;
    let zeros = making.numbers("zeros".into(), vec![0.0; channels], vec![channels])?;
    chain.then("standard", ops::InstanceNorm { epsilon }, &[ones, zeros]);
    if turned != image {
        chain.then("parts", ops::Reshape { shape: turned }, &[]);
    }
    if !perm.is_sorted() {
        let mut back = vec![0; perm.len()];
        perm.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        chain.then("back", ops::Transpose { perm: back }, &[]);
    }
    Ok(())
}

/// What was learned, behind a standardization.
fn learned(chain: &mut Chain, gain: Option<ValueId>, bias: Option<ValueId>) {
    if let Some(gain) = gain {
        chain.then("gained", ops::Mul, &[gain]);
    }
    if let Some(bias) = bias {
        chain.then("moved", ops::Add, &[bias]);
    }
}

/// One number for each of so many channels at an input, in a shape that broadcasts to `[N,C,..]`; none where all of
/// them are this one. Of fewer numbers each is for several channels in a row.
fn of_channels<'m>(
    making: &mut Making<'m>,
    told: &Told<'m>,
    at: usize,
    channels: usize,
    idle: f32,
) -> Result<Option<ValueId>, String> {
    let rank = told.shape(0)?.len();
    let mut shape = vec![1; rank - 1];
    shape[0] = channels;
    let count = match told.shape(at)?.as_slice() {
        &[count] if count > 0 && channels.is_multiple_of(count) => count,
        other => return Err(format!("has {other:?} numbers for {channels} channels")),
    };
    if let Some(constant) = told.constant(at) {
        let numbers = constant.to_f32();
        if numbers.iter().all(|&number| number == idle) {
            return Ok(None);
        }
        let each = channels / count;
        let numbers = numbers.into_iter().flat_map(|number| std::iter::repeat_n(number, each)).collect();
        let name = format!("{}.channels", told.node.inputs[at]);
        return Ok(Some(making.numbers(name, numbers, shape)?));
    }
    if count != channels {
        return Err("has computed numbers for groups of channels; constants are supported".into());
    }
    let id = making.input(told, at)?;
    Ok(Some(making.step(format!("{}.in{at}", told.name()), ops::Reshape { shape }, &[id])?))
}

/// Each channel of each picture by itself.
pub fn instance_norm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    // What this program wrote comes back as it was.
    if making.is_own() {
        return Ok(None);
    }
    told.onnx.expect(&["epsilon"], 6)?;
    let shape = told.shape(0)?.clone();
    let &[_, channels, _, ..] = shape.as_slice() else {
        return Err(format!("normalizes {shape:?}; at least three axes are wanted"));
    };
    let epsilon = told.onnx.float("epsilon", 1e-5)?;
    let gain = of_channels(making, told, 1, channels, 1.0)?;
    let bias = of_channels(making, told, 2, channels, 0.0)?;
    let x = making.input(told, 0)?;
    let mut chain = Chain::default();
    let axes: Vec<usize> = (2..shape.len()).collect();
    standardize(making, &mut chain, &shape, &axes, epsilon)?;
    learned(&mut chain, gain, bias);
    made(chain.of(making, told.name(), x)?)
}

/// Groups of channels: a standardization of each, then the factors of channels, which before operator set 21 are those
/// of groups.
pub fn group_norm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["epsilon", "num_groups", "stash_type"], 18)?;
    told.onnx.demand_int("stash_type", 1)?;
    let shape = told.shape(0)?.clone();
    let &[batch, channels, ref rest @ ..] = shape.as_slice() else {
        return Err(format!("normalizes {shape:?}, which has no channels"));
    };
    let groups = usize::try_from(told.onnx.int("num_groups", 0)?).unwrap_or_default();
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(format!("makes {groups} groups of {channels} channels"));
    }
    let gain = of_channels(making, told, 1, channels, 1.0)?;
    let bias = of_channels(making, told, 2, channels, 0.0)?;
    let x = making.input(told, 0)?;
    let parted = [&[batch, groups, channels / groups], rest].concat();
    let axes: Vec<usize> = (2..parted.len()).collect();
    let mut chain = Chain::default();
    chain.then("groups", ops::Reshape { shape: parted.clone() }, &[]);
    standardize(making, &mut chain, &parted, &axes, told.onnx.float("epsilon", 1e-5)?)?;
    chain.then("channels", ops::Reshape { shape }, &[]);
    learned(&mut chain, gain, bias);
    made(chain.of(making, told.name(), x)?)
}

/// Over axes that are stated; over those of batch and picture where none are.
pub fn mean_variance_norm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["axes"], 9)?;
    let shape = told.shape(0)?.clone();
    let stated = told.onnx.signed("axes")?.unwrap_or(vec![0, 2, 3]);
    let mut axes = stated.into_iter().map(|axis| told.onnx.from_front(axis)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    let x = making.input(told, 0)?;
    let mut chain = Chain::default();
    standardize(making, &mut chain, &shape, &axes, SMALLEST)?;
    made(chain.of(making, told.name(), x)?)
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
