//! Cuts of several axes, in steps, into parts of any size; and gathering by indices of any rank.

use super::chosen;
use super::spelled::Spelled;
use crate::onnx::fold::{self, Cut};
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, ElementType, ValueId, ops};

/// One axis after the other: a cut where a run of elements is kept, a gathering where steps are left out.
pub fn slice<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["starts", "ends", "axes"], 1)?;
    let shape = told.shape(0)?.clone();
    let cuts: Vec<(Cut, Vec<usize>)> =
        fold::cuts(&told.onnx)?.into_iter().map(|cut| (cut, cut.places(shape[cut.axis]))).collect();
    let kept: Vec<_> =
        cuts.into_iter().filter(|(cut, places)| !places.iter().copied().eq(0..shape[cut.axis])).collect();
    if kept.is_empty() {
        // What this program wrote comes back as it was.
        return if making.is_own() { Ok(None) } else { super::casts::identity(making, told) };
    }
    if let Some((cut, _)) = kept.iter().find(|(_, places)| places.is_empty()) {
        return Err(format!("keeps nothing of axis {} of {shape:?}", cut.axis));
    }
    let mut made = making.input(told, 0)?;
    let last = kept.len() - 1;
    for (at, (cut, places)) in kept.into_iter().enumerate() {
        let name = if at == last {
            told.name().to_string()
        } else {
            making.fresh(format!("{}.axis{}", told.name(), cut.axis))
        };
        made = match cut.step == 1 {
            true => {
                let op = ops::Slice { axis: cut.axis, start: places[0], end: places[0] + places.len() };
                making.last(&name, op, &[made])?
            }
            false => picked(making, &name, (made, cut.axis), places)?,
        };
    }
    Ok(Some(vec![Known::Value(made)]))
}

/// The elements at these places of an axis.
fn picked(making: &mut Making, name: &str, (x, axis): (ValueId, usize), places: Vec<usize>) -> Result<ValueId, String> {
    let count = places.len();
    let indices = places.into_iter().map(|place| place as i64).collect();
    let indices = Constant::from_integers(ElementType::I32, indices, vec![count]);
    let indices = making.constant(format!("{name}.places"), indices)?;
    making.last(name, ops::Gather { axis }, &[x, indices])
}

/// Parts of different sizes are cut out one by one.
pub fn split<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let axis = told.onnx.axis(Some(0))?;
    let parts = fold::parts(&told.onnx, told.shape(0)?[axis])?;
    if parts.iter().all(|part| *part == parts[0]) && told.node.outputs.iter().all(|name| !name.is_empty()) {
        return Ok(None);
    }
    if parts.contains(&0) {
        return Err(format!("cuts off parts of {parts:?}; none may be empty"));
    }
    let x = making.input(told, 0)?;
    let mut start = 0;
    let mut made = Vec::with_capacity(parts.len());
    for (name, part) in told.node.outputs.iter().zip(parts) {
        let op = ops::Slice { axis, start, end: start + part };
        start += part;
        // Nobody reads a part without a name.
        made.push(match name.is_empty() {
            true => Known::Failed,
            false => Known::Value(making.last(name, op, &[x])?),
        });
    }
    Ok(Some(made))
}

/// One place that is known is a cut, unless its index stands in a row, which is how this program writes a pick.
pub fn gather<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    if chosen::is_computed(told, 1)? {
        return chosen::gathered(making, told);
    }
    let indices = told.onnx.input(1)?.shape.clone();
    let is_one = indices.len() != 1 && indices.iter().product::<usize>() == 1;
    let Some(place) = told.constant(1).filter(|_| is_one).map(|constant| constant.to_i64()[0]) else {
        return Ok(None);
    };
    told.onnx.expect(&["axis"], 1)?;
    let axis = told.onnx.axis(Some(0))?;
    let data = told.shape(0)?.clone();
    let shape = [&data[..axis], &indices, &data[axis + 1..]].concat();
    let counted = if place < 0 { place.saturating_add(data[axis] as i64) } else { place };
    let start = usize::try_from(counted).ok().filter(|&start| start < data[axis]);
    let start = start.ok_or_else(|| format!("picks the element {place} of {}", data[axis]))?;
    let x = making.input(told, 0)?;
    let part = making.step(format!("{}.part", told.name()), ops::Slice { axis, start, end: start + 1 }, &[x])?;
    Ok(Some(vec![Known::Value(making.reshaped(told.name(), part, shape)?)]))
}
