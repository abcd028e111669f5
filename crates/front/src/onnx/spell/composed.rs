//! Operators that are a few others in a row.

use super::shapes::repeated;
use super::spelled::Spelled;
use super::truths::number;
use crate::onnx::fold;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, ValueId, ops};

fn value(id: ValueId) -> Spelled {
    Ok(Some(vec![Known::Value(id)]))
}

/// Limits that are computed: the larger of the one, and the smaller of the other.
pub fn clip<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let is_number = |at: usize| {
        !told.onnx.has(at) || told.constant(at).is_some_and(|one| one.shape().iter().product::<usize>() == 1)
    };
    let reals = told.onnx.inputs.iter().flatten().all(|input| input.element.is_real());
    if told.onnx.opset < 11 || (is_number(1) && is_number(2) && reals) {
        return Ok(None);
    }
    told.onnx.expect(&[], 11)?;
    let (mut made, name) = (number(making, told, 0)?, told.name());
    let has_upper = told.onnx.has(2);
    if told.onnx.has(1) {
        let low = number(making, told, 1)?;
        made = match has_upper {
            true => making.step(format!("{name}.from"), ops::Max, &[made, low])?,
            false => making.last(name, ops::Max, &[made, low])?,
        };
    }
    if has_upper {
        let high = number(making, told, 2)?;
        made = making.last(name, ops::Min, &[made, high])?;
    }
    value(made)
}

/// A quotient by a constant is a product, which every NPU has.
pub fn quotient<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let Some(divisor) = told.constant(1).filter(|one| one.element_type().is_real() && !making.is_own()) else {
        return Ok(None);
    };
    told.onnx.expect(&[], 7)?;
    let factors: Vec<f32> = divisor.to_f32().into_iter().map(f32::recip).collect();
    if factors.iter().any(|factor| !factor.is_normal()) {
        return Ok(None);
    }
    let factors = making.changed(&told.node.inputs[1], Constant::from_values(factors, divisor.shape().clone()))?;
    let x = making.input(told, 0)?;
    value(making.last(told.name(), ops::Mul, &[x, factors])?)
}

/// The same once more and once more, along axes that need not be of size 1.
pub fn tile<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let times = fold::sizes(&told.onnx.integers(1)?.ok_or("does not say how often")?)?;
    if times.len() != told.shape(0)?.len() || times.contains(&0) {
        return Err(format!("repeats {:?} by {times:?}", told.shape(0)?));
    }
    let axes: Vec<usize> = (0..times.len()).filter(|&axis| times[axis] > 1).collect();
    let Some(&last) = axes.last() else { return super::casts::identity(making, told) };
    let mut made = making.input(told, 0)?;
    for axis in axes {
        made = repeated(making, told.name(), axis == last, made, (axis, times[axis]))?;
    }
    value(made)
}

/// Sums up to each place along an axis: a product with a triangle of ones.
pub fn cumulative<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["exclusive", "reverse"], 11)?;
    let rank = told.shape(0)?.len();
    let axis = told.onnx.integers(1)?.and_then(|axes| axes.first().copied()).ok_or("does not say along which axis")?;
    let (axis, last) = (told.onnx.from_front(axis)?, rank - 1);
    let (exclusive, reverse) = (told.onnx.int("exclusive", 0)? != 0, told.onnx.int("reverse", 0)? != 0);
    let (size, name) = (told.shape(0)?[axis], told.name());
    fold::counted(&[size, size])?;
    let counts = |from: usize, to: usize| {
        let (from, to) = if reverse { (to, from) } else { (from, to) };
        if exclusive { from < to } else { from <= to }
    };
    let ones = (0..size * size).map(|at| f32::from(u8::from(counts(at / size, at % size)))).collect();
    let ones = making.computed(format!("{name}.ones"), Constant::from_values(ones, vec![size, size]))?;
    let mut x = number(making, told, 0)?;
    let is_whole = making.is_whole(x);
    let mut perm: Vec<usize> = (0..rank).collect();
    perm.swap(axis, last);
    let row = rank == 1;
    if row {
        x = making.step(format!("{name}.row"), ops::Reshape { shape: vec![1, size] }, &[x])?;
    } else if axis != last {
        x = making.step(format!("{name}.in"), ops::Transpose { perm: perm.clone() }, &[x])?;
    }
    let made = match (row, axis == last) {
        (true, _) => {
            let sums = making.step(format!("{name}.sums"), ops::MatMul, &[x, ones])?;
            making.reshaped(name, sums, vec![size])?
        }
        (_, true) => making.last(name, ops::MatMul, &[x, ones])?,
        _ => {
            let sums = making.step(format!("{name}.sums"), ops::MatMul, &[x, ones])?;
            making.last(name, ops::Transpose { perm }, &[sums])?
        }
    };
    if is_whole {
        making.mark_whole(made);
    }
    value(made)
}

/// A triangle of matrices: a product with ones and zeros.
pub fn triangle<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let &[.., rows, columns] = told.shape(0)?.as_slice() else { return Err("cuts what is no matrix".into()) };
    fold::counted(&[rows, columns])?;
    let ones = Constant::from_values(vec![1.0; rows * columns], vec![rows, columns]);
    let shift = told.onnx.has(1).then(|| told.constant(1).cloned().ok_or("has a diagonal that is computed"));
    let ones = fold::fold(&told.onnx, &[Some(ones), shift.transpose()?]).ok_or("is not supported")??.swap_remove(0);
    let ones = making.computed(format!("{}.ones", told.name()), ones)?;
    let x = number(making, told, 0)?;
    value(making.last(told.name(), ops::Mul, &[x, ones])?)
}
