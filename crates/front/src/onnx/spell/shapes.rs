//! Shapes, which are all known when a model is read, and changes of shape.

use super::spelled::Spelled;
use crate::onnx::fold;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, ElementType, Shape, ValueId, ops};

fn long(values: Vec<i64>, shape: Shape) -> Spelled {
    Ok(Some(vec![Known::Constant(Constant::from_integers(ElementType::I64, values, shape))]))
}

/// The shape of a value, or a part of it.
pub fn shape(_: &mut Making, told: &Told) -> Spelled {
    let shape = told.shape(0)?;
    let place = |axis: i64| {
        let counted = if axis < 0 { axis.saturating_add(shape.len() as i64) } else { axis };
        counted.clamp(0, shape.len() as i64) as usize
    };
    let (start, end) = (place(told.onnx.int("start", 0)?), place(told.onnx.int("end", i64::MAX)?));
    let sizes: Vec<i64> = shape.get(start..end).unwrap_or_default().iter().map(|&size| size as i64).collect();
    let count = sizes.len();
    long(sizes, vec![count])
}

pub fn size(_: &mut Making, told: &Told) -> Spelled {
    long(vec![told.shape(0)?.iter().product::<usize>() as i64], vec![])
}

pub fn constant_of_shape(making: &mut Making, told: &Told) -> Spelled {
    let wanted = told.onnx.integers(0)?.ok_or("has no shape")?;
    let zero = Constant::from_values(vec![0.0], vec![1]);
    let made = fold::filled(&wanted, told.node.tensor("value").unwrap_or(&zero))?;
    making.count(std::slice::from_ref(&made))?;
    Ok(Some(vec![Known::Constant(made)]))
}

fn reshaped<'m>(making: &mut Making<'m>, told: &Told<'m>, shape: Shape) -> Spelled {
    let x = making.input(told, 0)?;
    Ok(Some(vec![Known::Value(making.reshaped(told.name(), x, shape)?)]))
}

pub fn flatten<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["axis"], 1)?;
    let shape = fold::flattened(told.shape(0)?, told.onnx.int("axis", 1)?)?;
    reshaped(making, told, shape)
}

pub fn squeeze<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let shape = fold::squeezed(told.shape(0)?, fold::axes(&told.onnx)?.as_deref())?;
    reshaped(making, told, shape)
}

pub fn unsqueeze<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let axes = fold::axes(&told.onnx)?.ok_or("does not say which axes are new")?;
    let shape = fold::unsqueezed(told.shape(0)?, &axes)?;
    reshaped(making, told, shape)
}

/// Most times that a value is joined to itself at once.
const MOST_JOINED: usize = 64;
/// Most times that a value is repeated.
const MOST_REPEATED: usize = 1 << 16;

/// The value with what it has along an axis so many times in a row, under the name of the node where it is the last step.
/// It is joined to itself, and what comes of that again: onnxruntime-qnn 2.7.0 picks wrongly where many indices pick of
/// one element.
pub fn repeated(
    making: &mut Making,
    name: &str,
    last: bool,
    x: ValueId,
    (axis, times): (usize, usize),
) -> Result<ValueId, String> {
    let shape = making.shape(x);
    let count = shape.iter().product::<usize>().checked_mul(times).filter(|_| times <= MOST_REPEATED);
    count.ok_or_else(|| format!("repeats axis {axis} {times} times; at most {MOST_REPEATED} are supported"))?;
    let (mut part, mut count, mut rest) = (x, times, vec![]);
    while count > MOST_JOINED {
        rest.extend(vec![part; count % MOST_JOINED]);
        part = making.step(format!("{name}.part"), ops::Concat { axis }, &vec![part; MOST_JOINED])?;
        count /= MOST_JOINED;
    }
    let parts = [vec![part; count], rest].concat();
    match last {
        true => making.last(name, ops::Concat { axis }, &parts),
        false => making.step(format!("{name}.axis{axis}"), ops::Concat { axis }, &parts),
    }
}

/// Repeats axes of size 1.
pub fn expand<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let wanted = fold::sizes(&told.onnx.integers(1)?.ok_or("does not say to which shape")?)?;
    let from = told.shape(0)?.clone();
    let shape = fold::broadcast(&from, &wanted)?;
    if shape == from {
        return super::casts::identity(making, told);
    }
    let mut made = making.input(told, 0)?;
    if from.len() < shape.len() {
        let padded = [vec![1; shape.len() - from.len()], from].concat();
        made = making.step(format!("{}.aligned", told.name()), ops::Reshape { shape: padded }, &[made])?;
    }
    let axes: Vec<usize> = (0..shape.len()).filter(|&axis| making.shape(made)[axis] != shape[axis]).collect();
    // Axes of size 1 in front are all that is new.
    let Some(&last) = axes.last() else {
        return Ok(Some(vec![Known::Value(making.reshaped(told.name(), made, shape)?)]));
    };
    for axis in axes {
        made = repeated(making, told.name(), axis == last, made, (axis, shape[axis]))?;
    }
    Ok(Some(vec![Known::Value(made)]))
}

#[cfg(test)]
mod tests {
    use crate::onnx::tests::{longs, model, node, operators, read, run};

    #[test]
    fn many_times_the_same_are_joins_of_joins() {
        for (op, times) in [("Expand", [2, 100]), ("Tile", [1, 100])] {
            let nodes = vec![node(&format!("{op} x times -> y"), vec![])];
            let made = read(&model(&[2, 1], vec![longs("times", &times)], nodes)).unwrap().graph;
            assert_eq!(operators(&made), ["Concat", "Concat"], "{op}");
            assert_eq!(run(&made, &[3.0, 4.0]), [[3.0; 100], [4.0; 100]].concat(), "{op}");
        }
        let nodes = vec![node("Tile x times -> y", vec![])];
        let made = read(&model(&[1, 2], vec![longs("times", &[1, 65])], nodes)).unwrap().graph;
        assert_eq!(run(&made, &[3.0, 4.0])[..4], [3.0, 4.0, 3.0, 4.0]);
    }
}
