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
        return least(making, told, (&before, &after), padding);
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

/// Padding with what is less than any number, before pools of the largest, as frameworks pad `same`. The edge in its place
/// gives the same: a window that is larger than the padding holds the element that is repeated. None of other padding.
fn least<'m>(
    making: &mut Making<'m>,
    told: &Told<'m>,
    (before, after): (&[i64], &[i64]),
    padding: ops::Padding,
) -> Spelled {
    let kernel = told.node.outputs.first().and_then(|name| making.pooled(name)).unwrap_or_default();
    let sizes = |amounts: &[i64]| -> Vec<usize> { amounts.iter().map(|&amount| amount as usize).collect() };
    let (before, after) = (sizes(before), sizes(after));
    let fits = |amounts: &[usize]| {
        let (outer, inner) = amounts.split_at(amounts.len().min(2));
        outer.iter().all(|&amount| amount == 0) && inner.iter().zip(kernel).all(|(amount, kernel)| amount < kernel)
    };
    let is_least = padding == ops::Padding::Constant(f32::NEG_INFINITY) && kernel.len() + 2 == before.len();
    if !is_least || !fits(&before) || !fits(&after) {
        return Ok(None);
    }
    let x = making.input(told, 0)?;
    let pad = ops::Pad { before, after, padding: ops::Padding::Edge };
    Ok(Some(vec![Known::Value(making.last(told.name(), pad, &[x])?)]))
}
