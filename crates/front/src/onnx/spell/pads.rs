//! Padding that cuts off, and padding of nothing.

use super::casts;
use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops;

/// Negative amounts are cuts before the rest is added.
pub fn pad<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let shape = told.shape(0)?.clone();
    let ops::Amounts { before, after, padding } = ops::Amounts::of(&told.onnx)?;
    let amounts = || before.iter().chain(&after);
    // What this program wrote comes back as it was.
    if amounts().all(|&amount| amount == 0) && !making.is_own() {
        return casts::identity(making, told);
    }
    if amounts().all(|&amount| amount >= 0) {
        return Ok(None);
    }
    let cut = |amount: i64| usize::try_from(amount.saturating_neg()).unwrap_or_default();
    let added = |amounts: &[i64]| amounts.iter().map(|&amount| usize::try_from(amount).unwrap_or_default()).collect();
    let pad = ops::Pad { before: added(&before), after: added(&after), padding };
    let mut made = making.input(told, 0)?;
    let name = told.name();
    let cuts: Vec<usize> = (0..shape.len()).filter(|&axis| cut(before[axis]) + cut(after[axis]) > 0).collect();
    let is_padded = pad.before.iter().chain(&pad.after).any(|&amount| amount > 0);
    for (at, &axis) in cuts.iter().enumerate() {
        let (start, end) = (cut(before[axis]), shape[axis].saturating_sub(cut(after[axis])));
        if start >= end {
            return Err(format!("keeps nothing of axis {axis} of {shape:?}"));
        }
        let op = ops::Slice { axis, start, end };
        made = match at + 1 == cuts.len() && !is_padded {
            true => making.last(name, op, &[made])?,
            false => making.step(format!("{name}.axis{axis}"), op, &[made])?,
        };
    }
    if is_padded {
        made = making.last(name, pad, &[made])?;
    }
    Ok(Some(vec![Known::Value(made)]))
}
