//! Constant folding: what depends on constants only is computed when a model is read, shape arithmetic first of all.

mod arithmetic;
mod array;
mod cumulative;
mod moves;
mod picks;

use array::{Array, Numbers};
pub use array::{MOST_ELEMENTS, broadcast, counted};
use autoneural_core::ir::ops::OnnxNode;
use autoneural_core::ir::{Constant, ElementType};
pub use moves::{Cut, flattened, reshaped_to, sizes, squeezed, unsqueezed};
pub use picks::{Picked, scattered};

/// What a node of constants makes; none for an operator that is not folded here.
///
/// # Errors
/// Constants that the operator does not take, more elements than are folded.
pub fn fold(node: &OnnxNode, inputs: &[Option<Constant>]) -> Option<Result<Vec<Constant>, String>> {
    let first = inputs.first()?.as_ref()?;
    if let Some(moved) = moved_as_it_is(node, first) {
        return Some(moved.map(|constant| vec![constant]));
    }
    let count = |constant: &Constant| constant.shape().iter().product::<usize>();
    if inputs.iter().flatten().any(|constant| count(constant) > MOST_ELEMENTS) {
        return None;
    }
    let arrays: Vec<Option<Array>> = inputs.iter().map(|input| input.as_ref().map(Array::of)).collect();
    if let [Some(_), ..] = arrays[..]
        && let Some(all) = arrays.iter().cloned().collect::<Option<Vec<_>>>()
        && let Some(made) = arithmetic::elementwise(elementwise_name(node), &all)
    {
        return Some(made.map(|array| vec![array.into_constant()]));
    }
    let made = match node.op_type.as_str() {
        "Gather" => gather(node, &arrays),
        "Concat" => concat(node, arrays),
        "Slice" => slice(node, &arrays),
        "GatherElements" | "GatherND" => picked(node, &arrays),
        "ScatterElements" | "ScatterND" => placed(node, &arrays),
        "IsNaN" => present(&arrays, 0).map(|x| truths(x, |value| value.is_nan())),
        "IsInf" => infinite(node, &arrays),
        "OneHot" => second(&arrays).and_then(|(x, depth)| picks::one_hot(node, x, depth, present(&arrays, 2)?)),
        "CumSum" => second(&arrays).and_then(|(x, axis)| cumulative::cumulative(node, x, axis)),
        "Expand" => second(&arrays).and_then(|(x, shape)| moves::expand(x, &shape.whole())),
        "Tile" => second(&arrays).and_then(|(x, times)| moves::tile(x, &times.whole())),
        "Range" => range(&arrays),
        "ReduceProd" | "ReduceSum" | "ReduceMax" | "ReduceMin" => reduce(node, &arrays),
        "DequantizeLinear" => dequantize(node, &arrays),
        "Trilu" => triangle(node, &arrays),
        "Split" => return Some(split(node, &arrays).map(|all| all.into_iter().map(Array::into_constant).collect())),
        _ => return None,
    };
    Some(made.map(|array| vec![array.into_constant()]))
}

/// Operators that [`fold`] computes, beside those on elements one by one.
const FOLDED: [&str; 10] = [
    "Concat",
    "DequantizeLinear",
    "Gather",
    "Range",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "Tile",
    "Trilu",
];

/// Whether an operator is folded if all that it reads is constant.
pub fn is_folded(op_type: &str) -> bool {
    FOLDED.contains(&op_type) || arithmetic::is_elementwise(op_type)
}

/// Moves that need no look at the numbers; none for others.
fn moved_as_it_is(node: &OnnxNode, x: &Constant) -> Option<Result<Constant, String>> {
    let shape = x.shape();
    let reshaped = |shape: Result<Vec<usize>, String>| shape.map(|shape| x.reshaped(shape));
    Some(match node.op_type.as_str() {
        "Reshape" => reshaped(new_shape(node, shape)),
        "Squeeze" => reshaped(axes(node).and_then(|axes| squeezed(shape, axes.as_deref()))),
        "Unsqueeze" => {
            reshaped(axes(node).and_then(|axes| unsqueezed(shape, &axes.ok_or("does not say which axes are new")?)))
        }
        "Flatten" => reshaped(node.int("axis", 1).and_then(|axis| flattened(shape, axis))),
        "Transpose" => {
            let perm = node.ints("perm").map(|perm| perm.unwrap_or((0..shape.len()).rev().collect()));
            perm.and_then(|perm| {
                let mut sorted = perm.clone();
                sorted.sort_unstable();
                match sorted.iter().copied().eq(0..shape.len()) {
                    true => Ok(x.permuted(&perm)),
                    false => Err(format!("{perm:?} is no order of {} axes", shape.len())),
                }
            })
        }
        _ => return None,
    })
}

/// The shape that a `Reshape` wants.
pub fn new_shape(node: &OnnxNode, from: &[usize]) -> Result<Vec<usize>, String> {
    let wanted = node.integers(1)?.ok_or("does not say which shape")?;
    reshaped_to(from, &wanted, node.int("allowzero", 0)? != 0)
}

/// The axes of an operator that had them as an attribute once, and has them as an input since operator set 13 or 18.
pub fn axes(node: &OnnxNode) -> Result<Option<Vec<i64>>, String> {
    match node.signed("axes")? {
        Some(axes) => Ok(Some(axes)),
        None => node.integers(1),
    }
}

/// The cuts of a `Slice`: attributes up to operator set 9, inputs since.
pub fn cuts(node: &OnnxNode) -> Result<Vec<Cut>, String> {
    let stated = |position: usize, name: &str| match node.opset {
        ..10 => node.signed(name),
        _ => node.integers(position),
    };
    let missing = "does not say from where to where";
    let (starts, ends) = (stated(1, "starts")?.ok_or(missing)?, stated(2, "ends")?.ok_or(missing)?);
    let rank = node.rank()?;
    let axes = stated(3, "axes")?.unwrap_or((0..starts.len() as i64).collect());
    let steps = if node.opset < 10 { None } else { node.integers(4)? }.unwrap_or(vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()].iter().any(|&count| count != starts.len()) || steps.contains(&0) {
        return Err("has different numbers of starts, ends, axes and steps, or a step of 0".into());
    }
    let cut = |at: usize| {
        array::axis(axes[at], rank).map(|axis| Cut { axis, start: starts[at], end: ends[at], step: steps[at] })
    };
    (0..starts.len()).map(cut).collect()
}

fn present(arrays: &[Option<Array>], at: usize) -> Result<&Array, String> {
    arrays.get(at).and_then(Option::as_ref).ok_or_else(|| format!("has no input {at}"))
}

fn second(arrays: &[Option<Array>]) -> Result<(&Array, &Array), String> {
    Ok((present(arrays, 0)?, present(arrays, 1)?))
}

fn gather(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Array, String> {
    let (x, indices) = second(arrays)?;
    moves::gather(x, indices, node.int("axis", 0)?)
}

fn concat(node: &OnnxNode, arrays: Vec<Option<Array>>) -> Result<Array, String> {
    let parts = arrays.into_iter().collect::<Option<Vec<_>>>().ok_or("leaves out an input")?;
    moves::concat(&parts, node.int("axis", 1)?)
}

fn slice(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Array, String> {
    Ok(moves::slice(present(arrays, 0)?, &cuts(node)?))
}

fn range(arrays: &[Option<Array>]) -> Result<Array, String> {
    moves::range(present(arrays, 0)?, present(arrays, 1)?, present(arrays, 2)?)
}

fn split(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Vec<Array>, String> {
    let x = present(arrays, 0)?;
    let axis = node.axis(Some(0))?;
    let mut start = 0i64;
    let cut = |size: usize| {
        let cut = Cut { axis, start, end: start.saturating_add(size as i64), step: 1 };
        start = cut.end;
        moves::slice(x, &[cut])
    };
    Ok(parts(node, x.shape[axis])?.into_iter().map(cut).collect())
}

/// Sizes of the parts of a `Split` of an axis of this size.
pub fn parts(node: &OnnxNode, size: usize) -> Result<Vec<usize>, String> {
    let stated = match node.ints("split")? {
        Some(parts) => Some(parts),
        None => node.integers(1)?.map(|parts| sizes(&parts)).transpose()?,
    };
    let count = node.outputs.max(1);
    // Without a word the parts are equal, but for the last, which may be smaller.
    let made = stated.unwrap_or_else(|| {
        let each = size.div_ceil(count);
        (0..count).map(|at| each.min(size.saturating_sub(at * each))).collect()
    });
    let total = made.iter().try_fold(0usize, |total, &part| total.checked_add(part));
    match made.len() == count && total == Some(size) {
        true => Ok(made),
        false => Err(format!("splits an axis of {size} into parts of {made:?} for {count} outputs")),
    }
}

/// Where a node of this operator picks elements of a tensor of this shape, or puts them.
///
/// # Errors
/// Indices that are not there, another operator.
pub fn places(node: &OnnxNode, shape: &[usize], indices: &Constant) -> Result<Picked, String> {
    let indices = Array::of(indices);
    match node.op_type.as_str() {
        "GatherElements" | "ScatterElements" => picks::elements(shape, &indices, node.int("axis", 0)?),
        "GatherND" => picks::rows(shape, &indices, node.int("batch_dims", 0)?),
        "ScatterND" => picks::rows(shape, &indices, 0),
        other => Err(format!("{other} picks nothing by a constant")),
    }
}

fn picked(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Array, String> {
    let (x, indices) = second(arrays)?;
    let Picked { shape, places } = places(node, &x.shape, &indices.clone().into_constant())?;
    Ok(x.picked(shape, places.into_iter()))
}

fn placed(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Array, String> {
    node.demand_text("reduction", "none", "none")?;
    let ((x, indices), updates) = (second(arrays)?, present(arrays, 2)?);
    let targets = places(node, &x.shape, &indices.clone().into_constant())?;
    if targets.shape != updates.shape || x.element != updates.element {
        return Err(format!("puts {:?} in the place of {:?}", updates.shape, targets.shape));
    }
    let row = |one: &Array| Array { shape: vec![one.shape.iter().product()], ..one.clone() };
    let all = moves::concat(&[row(x), row(updates)], 0)?;
    let Picked { shape, places } = scattered(&x.shape, &targets);
    Ok(all.picked(shape, places.into_iter()))
}

/// The name of what is computed element by element, which an attribute may change.
fn elementwise_name(node: &OnnxNode) -> &str {
    match node.op_type.as_str() {
        "Mod" if node.int("fmod", 0).is_ok_and(|fmod| fmod != 0) => arithmetic::FMOD,
        other => other,
    }
}

fn infinite(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Array, String> {
    let (above, below) = (node.int("detect_positive", 1)? != 0, node.int("detect_negative", 1)? != 0);
    let is = |value: f32| value.is_infinite() && if value > 0.0 { above } else { below };
    present(arrays, 0).map(|x| truths(x, is))
}

fn truths(x: &Array, is: impl Fn(f32) -> bool) -> Array {
    let numbers = Numbers::Whole(x.real().into_iter().map(|value| is(value).into()).collect());
    Array { shape: x.shape.clone(), element: ElementType::Bool, numbers }
}

/// Sums and the like of small constants.
fn reduce(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Array, String> {
    let x = present(arrays, 0)?;
    let rank = x.shape.len();
    let stated = axes(node)?.filter(|axes| !axes.is_empty());
    if stated.is_none() && node.int("noop_with_empty_axes", 0)? != 0 {
        return Ok(x.clone());
    }
    let axes = stated.unwrap_or((0..rank as i64).collect());
    let axes = axes.into_iter().map(|at| array::axis(at, rank)).collect::<Result<Vec<_>, _>>()?;
    let kept: Vec<usize> = (0..rank).map(|at| if axes.contains(&at) { 1 } else { x.shape[at] }).collect();
    counted(&kept)?;
    let count: usize = kept.iter().product();
    let place = |at: usize| {
        let index = autoneural_core::ir::index_of(at, &x.shape);
        index.iter().zip(&kept).fold(0, |place, (&at, &size)| place * size + if size == 1 { 0 } else { at })
    };
    let numbers = match &x.numbers {
        Numbers::Real(values) => Numbers::Real(
            gathered(values, count, place, |made, value| match node.op_type.as_str() {
                "ReduceProd" => Some(made * value),
                "ReduceSum" => Some(made + value),
                "ReduceMax" => Some(made.max(value)),
                _ => Some(made.min(value)),
            })
            .ok_or("has no elements")?,
        ),
        Numbers::Whole(values) => Numbers::Whole(
            gathered(values, count, place, |made: i64, value| match node.op_type.as_str() {
                "ReduceProd" => made.checked_mul(value),
                "ReduceSum" => made.checked_add(value),
                "ReduceMax" => Some(made.max(value)),
                _ => Some(made.min(value)),
            })
            .ok_or("has no elements, or a result beyond the integers")?,
        ),
    };
    let shape = match node.int("keepdims", 1)? {
        0 => (0..rank).filter(|at| !axes.contains(at)).map(|at| x.shape[at]).collect(),
        _ => kept,
    };
    Ok(Array { shape, element: x.element, numbers })
}

/// One number for each place; none if a place has no number or a step fails.
fn gathered<T: Copy>(
    values: &[T],
    count: usize,
    place: impl Fn(usize) -> usize,
    step: impl Fn(T, T) -> Option<T>,
) -> Option<Vec<T>> {
    let mut made: Vec<Option<T>> = vec![None; count];
    for (at, &value) in values.iter().enumerate() {
        let slot = &mut made[place(at)];
        *slot = Some(match *slot {
            None => value,
            Some(before) => step(before, value)?,
        });
    }
    made.into_iter().collect()
}

/// The upper or lower triangle of matrices, the rest zero: causal masks are made so.
fn triangle(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Array, String> {
    let x = present(arrays, 0)?;
    let &[.., rows, columns] = x.shape.as_slice() else {
        return Err(format!("cuts {:?}, which is no matrix", x.shape));
    };
    let shift = match arrays.get(1).and_then(Option::as_ref) {
        Some(shift) => *shift.whole().first().ok_or("has no diagonal")?,
        None => 0,
    };
    let is_upper = node.int("upper", 1)? != 0;
    let is_kept = |at: usize| {
        let (row, column) = ((at / columns % rows) as i64, (at % columns) as i64);
        let beyond = column.saturating_sub(row).saturating_sub(shift);
        if is_upper { beyond >= 0 } else { beyond <= 0 }
    };
    let numbers = match &x.numbers {
        Numbers::Real(values) => {
            Numbers::Real(values.iter().enumerate().map(|(at, &value)| if is_kept(at) { value } else { 0.0 }).collect())
        }
        Numbers::Whole(values) => {
            Numbers::Whole(values.iter().enumerate().map(|(at, &value)| if is_kept(at) { value } else { 0 }).collect())
        }
    };
    Ok(Array { shape: x.shape.clone(), element: x.element, numbers })
}

/// Codes of weights as numbers.
fn dequantize(node: &OnnxNode, arrays: &[Option<Array>]) -> Result<Array, String> {
    let (codes, scale) = second(arrays)?;
    if node.int("block_size", 0)? != 0 {
        return Err("with blocks is not supported".into());
    }
    let spread = |one: &Array| -> Result<Array, String> {
        if one.shape.iter().product::<usize>() == 1 {
            return Ok(Array { shape: vec![], ..one.clone() });
        }
        let axis = array::axis(node.int("axis", 1)?, codes.shape.len())?;
        let mut shape = vec![1; codes.shape.len()];
        shape[axis] = codes.shape[axis];
        match one.shape[..] == [codes.shape[axis]] {
            true => Ok(Array { shape, ..one.clone() }),
            false => Err(format!("has a scale of {:?} for axis {axis} of {:?}", one.shape, codes.shape)),
        }
    };
    let scale = spread(scale)?.broadcast(&codes.shape).real();
    let zero = match arrays.get(2).and_then(Option::as_ref) {
        Some(zero) => spread(zero)?.broadcast(&codes.shape).whole(),
        None => vec![0; scale.len()],
    };
    let values = codes.whole().into_iter().zip(zero).zip(scale);
    let numbers = Numbers::Real(values.map(|((code, zero), scale)| code.saturating_sub(zero) as f32 * scale).collect());
    Ok(Array { shape: codes.shape.clone(), element: ElementType::F32, numbers })
}

/// The same numbers as elements of another type.
pub fn cast(constant: &Constant, element: ElementType) -> Constant {
    match constant.element_type() == element {
        true => constant.clone(),
        false => Array::of(constant).cast(element).into_constant(),
    }
}

/// A constant of one number in this shape.
///
/// # Errors
/// More elements than are folded.
pub fn filled(shape: &[i64], value: &Constant) -> Result<Constant, String> {
    let shape = sizes(shape)?;
    let value = Array::of(value);
    if value.shape.iter().product::<usize>() != 1 {
        return Err(format!("fills with a tensor of the shape {:?}; one number is wanted", value.shape));
    }
    counted(&shape)?;
    Ok(Array { shape: vec![], ..value }.broadcast(&shape).into_constant())
}
