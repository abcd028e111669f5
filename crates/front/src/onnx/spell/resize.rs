//! Resizing in forms that the IR has no operator for: other neighbours are gathered, other mixtures are products with
//! constant matrices.

use super::casts;
use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops::{Axis, Mode, Sampling};
use autoneural_core::ir::{Constant, ElementType, ValueId, ops};

/// Most elements of the matrix of one axis.
const MOST_SHARES: usize = 1 << 22;

pub fn resize<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let sampling = Sampling::of(&told.onnx)?;
    let changed: Vec<usize> = (0..sampling.axes.len()).filter(|&axis| !is_same(&sampling, axis)).collect();
    // What this program wrote comes back as it was.
    if changed.is_empty() && !making.is_own() {
        return casts::identity(making, told);
    }
    if let Some(op) = ops::Resize::of_sampling(&sampling) {
        if told.onnx.op_type == "Resize" {
            return Ok(None);
        }
        let x = making.input(told, 0)?;
        return Ok(Some(vec![Known::Value(making.last(told.name(), op, &[x])?)]));
    }
    let x = making.input(told, 0)?;
    if let Some(made) = along_one_axis(making, told, &sampling, x)? {
        return Ok(Some(vec![Known::Value(made)]));
    }
    let mut made = x;
    for (at, &axis) in changed.iter().enumerate() {
        let name = match at + 1 == changed.len() {
            true => told.name().to_string(),
            false => making.fresh(format!("{}.axis{axis}", told.name())),
        };
        made = match sampling.mode {
            Mode::Nearest(_) => gathered(making, &name, made, &sampling, axis)?,
            _ => mixed(making, &name, made, &sampling, axis)?,
        };
    }
    Ok(Some(vec![Known::Value(made)]))
}

/// Whether an axis stays as it is.
fn is_same(sampling: &Sampling, axis: usize) -> bool {
    let Axis { from, to, .. } = sampling.axes[axis];
    from == to && sampling.axes[axis].is_of_sizes()
}

/// `[N,C,L]` as a picture of height 1; none where it is of another rank, or no operator does that.
fn along_one_axis<'m>(
    making: &mut Making<'m>,
    told: &Told<'m>,
    sampling: &Sampling,
    x: ValueId,
) -> Result<Option<ValueId>, String> {
    let &[n, c, length] = &sampling.axes[..] else { return Ok(None) };
    let axes = vec![n, c, Axis::of_sizes(1, 1), length];
    let Some(op) = ops::Resize::of_sampling(&Sampling { axes, ..sampling.clone() }) else { return Ok(None) };
    let shape = vec![n.from, c.from, 1, length.from];
    let x = making.step(format!("{}.in0", told.name()), ops::Reshape { shape }, &[x])?;
    let made = making.step(format!("{}.image", told.name()), op, &[x])?;
    making.reshaped(told.name(), made, vec![n.from, c.from, length.to]).map(Some)
}

/// Along one axis the neighbours that each place has.
fn gathered(making: &mut Making, name: &str, x: ValueId, sampling: &Sampling, axis: usize) -> Result<ValueId, String> {
    let count = sampling.axes[axis].to;
    let places = (0..count).map(|place| sampling.taps(axis, place)[0].0 as i64).collect();
    let places = Constant::from_integers(ElementType::I32, places, vec![count]);
    let places = making.constant(format!("{name}.places"), places)?;
    making.last(name, ops::Gather { axis }, &[x, places])
}

/// Along one axis the sums of neighbours that each place is.
fn mixed(making: &mut Making, name: &str, x: ValueId, sampling: &Sampling, axis: usize) -> Result<ValueId, String> {
    let Axis { from, to, .. } = sampling.axes[axis];
    if from.saturating_mul(to) > MOST_SHARES {
        return Err(format!(
            "resizes an axis from {from} to {to} by other factors than its sizes say; state the sizes"
        ));
    }
    let mut shares = vec![0f32; from * to];
    for place in 0..to {
        for (at, share) in sampling.taps(axis, place) {
            shares[at * to + place] += share as f32;
        }
    }
    let shares = making.numbers(format!("{name}.shares"), shares, vec![from, to])?;
    let last = sampling.axes.len() - 1;
    if axis == last {
        return making.last(name, ops::MatMul, &[x, shares]);
    }
    let mut perm: Vec<usize> = (0..=last).collect();
    perm.swap(axis, last);
    let turned = making.step(format!("{name}.turned"), ops::Transpose { perm: perm.clone() }, &[x])?;
    let made = making.step(format!("{name}.mixed"), ops::MatMul, &[turned, shares])?;
    making.last(name, ops::Transpose { perm }, &[made])
}
