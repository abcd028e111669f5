//! Rotary position embedding as ONNX has it since operator set 23, with tables of half a head's width.

use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Op, Shape, ValueId, ops};

/// A head's elements that are turned against each other: `first * cos - second * sin` and `first * sin + second * cos`.
pub fn rotary<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["interleaved", "num_heads", "rotary_embedding_dim"], 23)?;
    let shape = told.shape(0)?.clone();
    let name = told.name();
    let [batch, heads, rows, width] = heads(told, &shape)?;
    let turned = match usize::try_from(told.onnx.int("rotary_embedding_dim", 0)?) {
        Ok(0) => width,
        Ok(size) if size <= width => size,
        _ => return Err("turns more elements than a head has".into()),
    };
    if turned % 2 != 0 {
        return Err(format!("turns {turned} elements; an even number is wanted"));
    }
    let mut x = making.input(told, 0)?;
    if shape.len() == 3 {
        let parted = ops::Reshape { shape: vec![batch, rows, heads, width] };
        x = making.step(format!("{name}.heads"), parted, &[x])?;
        x = making.step(format!("{name}.rows"), ops::Transpose { perm: vec![0, 2, 1, 3] }, &[x])?;
    }
    let rest = match turned == width {
        true => None,
        false => {
            let cut = |start, end| ops::Slice { axis: 3, start, end };
            let rest = making.step(format!("{name}.rest"), cut(turned, width), &[x])?;
            x = making.step(format!("{name}.part"), cut(0, turned), &[x])?;
            Some(rest)
        }
    };
    let cos = table(making, told, 1, [batch, rows, turned / 2])?;
    let sin = table(making, told, 2, [batch, rows, turned / 2])?;
    let is_interleaved = told.onnx.int("interleaved", 0)? != 0;
    let mut made = turn(making, name, x, [cos, sin], is_interleaved)?;
    if let Some(rest) = rest {
        made = making.step(format!("{name}.joined"), ops::Concat { axis: 3 }, &[made, rest])?;
    }
    if shape.len() == 3 {
        made = making.step(format!("{name}.back"), ops::Transpose { perm: vec![0, 2, 1, 3] }, &[made])?;
    }
    Ok(Some(vec![Known::Value(making.reshaped(name, made, shape)?)]))
}

/// Batch, heads, rows and width of a head.
fn heads(told: &Told, shape: &[usize]) -> Result<[usize; 4], String> {
    match *shape {
        [batch, heads, rows, width] => Ok([batch, heads, rows, width]),
        [batch, rows, size] => match usize::try_from(told.onnx.int("num_heads", 0)?) {
            Ok(heads) if heads > 0 && size.is_multiple_of(heads) => Ok([batch, heads, rows, size / heads]),
            _ => Err(format!("does not say how many heads {size} elements are of")),
        },
        _ => Err(format!("turns {shape:?}; three or four axes are wanted")),
    }
}

/// The table at an input as `[B,1,S,D]`: its rows as they are, or those that positions pick.
fn table<'m>(
    making: &mut Making<'m>,
    told: &Told<'m>,
    at: usize,
    [batch, rows, width]: [usize; 3],
) -> Result<ValueId, String> {
    let name = told.name();
    let mut id = making.input(told, at)?;
    if told.onnx.has(3) {
        let positions = making.input(told, 3)?;
        let shape = vec![making.shape(positions).iter().product()];
        let positions = making.step(format!("{name}.places{at}"), ops::Reshape { shape }, &[positions])?;
        id = making.step(format!("{name}.table{at}"), ops::Gather { axis: 0 }, &[id, positions])?;
    }
    let shape: Shape = vec![batch, 1, rows, width];
    if making.shape(id).iter().product::<usize>() != shape.iter().product::<usize>() {
        return Err(format!("has a table of {:?} for {rows} rows of {width}", making.shape(id)));
    }
    making.step(format!("{name}.rows{at}"), ops::Reshape { shape }, &[id])
}

fn turn(
    making: &mut Making,
    name: &str,
    x: ValueId,
    [cos, sin]: [ValueId; 2],
    is_interleaved: bool,
) -> Result<ValueId, String> {
    let shape = making.shape(x).clone();
    let (batch, half) = (shape[0], shape[3] / 2);
    if batch == 1 && !is_interleaved {
        let wide = |making: &mut Making, id, word: &str| {
            making.step(format!("{name}.{word}"), ops::Concat { axis: 3 }, &[id, id])
        };
        let tables = [wide(making, cos, "cos")?, wide(making, sin, "sin")?];
        return making.step(format!("{name}.turned"), ops::Rope, &[x, tables[0], tables[1]]);
    }
    // Pairs stand side by side, or half a head apart.
    let (viewed, axis) = match is_interleaved {
        true => ([&shape[..3], &[half, 2]].concat(), 4),
        false => ([&shape[..3], &[2, half]].concat(), 3),
    };
    let x = making.step(format!("{name}.pairs"), ops::Reshape { shape: viewed.clone() }, &[x])?;
    let part = |making: &mut Making, at: usize| {
        let cut = making.step(format!("{name}.cut{at}"), ops::Slice { axis, start: at, end: at + 1 }, &[x])?;
        making.step(format!("{name}.half{at}"), ops::Reshape { shape: [&shape[..3], &[half]].concat() }, &[cut])
    };
    let (first, second) = (part(making, 0)?, part(making, 1)?);
    let mut mixed = |word: &str, op: Op, [a, b]: [ValueId; 2]| -> Result<ValueId, String> {
        let left = making.step(format!("{name}.{word}.first"), ops::Mul, &[first, a])?;
        let right = making.step(format!("{name}.{word}.second"), ops::Mul, &[second, b])?;
        let made = making.step(format!("{name}.{word}"), op, &[left, right])?;
        let mut single = viewed.clone();
        single[axis] = 1;
        making.step(format!("{name}.{word}.pair"), ops::Reshape { shape: single }, &[made])
    };
    let pairs = [mixed("real", ops::Sub.into(), [cos, sin])?, mixed("imaginary", ops::Add.into(), [sin, cos])?];
    let made = making.step(format!("{name}.turned"), ops::Concat { axis }, &pairs)?;
    making.step(format!("{name}.whole"), ops::Reshape { shape }, &[made])
}
