//! Picking and placing by indices that are known, as a gathering of rows; and one-hot rows.

use super::chosen;
use super::spelled::Spelled;
use crate::onnx::fold::{self, Picked};
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, ElementType, ValueId, ops};

/// The places at which a node picks or puts.
fn places(told: &Told) -> Result<Picked, String> {
    let indices = told.constant(1).ok_or("picks by indices that are computed; constants are supported")?;
    fold::places(&told.onnx, told.shape(0)?, indices)
}

pub fn picked<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    if told.onnx.op_type == "GatherND" && chosen::is_computed(told, 1)? {
        return chosen::gathered_nd(making, told);
    }
    if told.onnx.op_type == "GatherElements" && told.constant(1).is_none() {
        return chosen::gathered_elements(making, told);
    }
    let from = places(told)?;
    let x = making.input(told, 0)?;
    Ok(Some(vec![Known::Value(gathered(making, told.name(), x, from)?)]))
}

/// Data and updates in a row, out of which the result is picked.
pub fn scattered<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.demand_text("reduction", "none", "none")?;
    let shape = told.shape(0)?.clone();
    fold::counted(&shape)?;
    let targets = places(told)?;
    if targets.shape != *told.shape(2)? {
        return Err(format!("puts {:?} in the place of {:?}", told.shape(2)?, targets.shape));
    }
    let name = told.name();
    let row = |making: &mut Making<'m>, at: usize| {
        let id = making.input(told, at)?;
        let shape = vec![making.shape(id).iter().product()];
        making.step(format!("{name}.row{at}"), ops::Reshape { shape }, &[id])
    };
    let rows = [row(making, 0)?, row(making, 2)?];
    let all = making.step(format!("{name}.rows"), ops::Concat { axis: 0 }, &rows)?;
    let made = gathered(making, name, all, fold::scattered(&shape, &targets))?;
    Ok(Some(vec![Known::Value(made)]))
}

/// Elements of a value: as long rows as the places allow, a cut where they are all in a row.
fn gathered(making: &mut Making, name: &str, x: ValueId, Picked { shape, places }: Picked) -> Result<ValueId, String> {
    let count: usize = making.shape(x).iter().product();
    if count == places.len() && places.iter().copied().eq(0..count) {
        return making.reshaped(name, x, shape);
    }
    let mut width = 1;
    // Rows that divide the data, and of which the places are made.
    for candidate in
        (2..=places.len()).filter(|&width| count.is_multiple_of(width) && places.len().is_multiple_of(width))
    {
        let is_row =
            |row: &[usize]| row[0].is_multiple_of(candidate) && row.iter().copied().eq(row[0]..row[0] + candidate);
        if places.chunks_exact(candidate).all(is_row) {
            width = candidate;
        }
    }
    let rows: Vec<i64> = places.chunks_exact(width).map(|row| (row[0] / width) as i64).collect();
    let table = making.step(format!("{name}.table"), ops::Reshape { shape: vec![count / width, width] }, &[x])?;
    let start = rows[0] as usize;
    let part = if rows.iter().copied().eq(rows[0]..rows[0] + rows.len() as i64) {
        making.step(format!("{name}.part"), ops::Slice { axis: 0, start, end: start + rows.len() }, &[table])?
    } else {
        let count = rows.len();
        let indices = Constant::from_integers(ElementType::I32, rows, vec![count]);
        let indices = making.computed(format!("{name}.places"), indices)?;
        making.step(format!("{name}.part"), ops::Gather { axis: 0 }, &[table, indices])?
    };
    making.reshaped(name, part, shape)
}

/// Rows of a table that has one other number in each row.
pub fn one_hot<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["axis"], 9)?;
    let known = |at: usize| told.constant(at).ok_or("has a depth or values that are computed; constants are supported");
    let depth = known(1)?.to_f32().first().copied().unwrap_or_default();
    let values = fold::cast(known(2)?, ElementType::F32).to_f32();
    let (&[off, on], true) = (values.as_slice(), depth >= 1.0) else {
        return Err("wants a depth of 1 or more, and two values".into());
    };
    let indices = told.shape(0)?.clone();
    let (depth, rank) = (depth as usize, indices.len());
    fold::counted(&[depth, depth])?;
    let axis = match told.onnx.int("axis", -1)? {
        axis if axis == -1 || axis == rank as i64 => rank,
        axis => usize::try_from(axis).ok().filter(|&axis| axis < rank).ok_or("has an axis that is not there")?,
    };
    let name = told.name();
    if chosen::is_computed(told, 0)? {
        if axis != rank {
            return Err("makes rows along another axis than the last of computed indices".into());
        }
        let ids = chosen::indices(making, told, 0)?;
        let rows = chosen::rows(making, name, ids, depth)?;
        let [height, off] = [("height", on - off), ("off", off)]
            .map(|(what, value)| making.numbers(format!("{name}.{what}"), vec![value], vec![1]));
        let rows = making.step(format!("{name}.scaled"), ops::Mul, &[rows, height?])?;
        let rows = making.step(format!("{name}.rows"), ops::Add, &[rows, off?])?;
        let shape = [&indices[..], &[depth]].concat();
        return Ok(Some(vec![Known::Value(making.reshaped(name, rows, shape)?)]));
    }
    let mut table = vec![off; depth * depth];
    (0..depth).for_each(|row| table[row * depth + row] = on);
    let table = Constant::from_values(table, vec![depth, depth]);
    let table = making.computed(format!("{name}.table"), table)?;
    let ids = making.input(told, 0)?;
    let row = vec![indices.iter().product()];
    let ids = making.step(format!("{name}.row"), ops::Reshape { shape: row }, &[ids])?;
    let rows = making.step(format!("{name}.rows"), ops::Gather { axis: 0 }, &[table, ids])?;
    let shape = [&indices[..], &[depth]].concat();
    if axis == rank {
        return Ok(Some(vec![Known::Value(making.reshaped(name, rows, shape)?)]));
    }
    let rows = making.step(format!("{name}.shaped"), ops::Reshape { shape }, &[rows])?;
    let mut perm: Vec<usize> = (0..rank).collect();
    perm.insert(axis, rank);
    Ok(Some(vec![Known::Value(making.last(name, ops::Transpose { perm }, &[rows])?)]))
}
