//! Moves of constants: shapes are cut out of others, joined and put into other forms.

use super::array::{Array, Numbers, axis, broadcast, counted};
use autoneural_core::ir::Shape;

/// Elements along an axis.
fn along(x: &Array, axis: usize, from: &[usize]) -> Array {
    let (size, inner) = (x.shape[axis], x.shape[axis + 1..].iter().product::<usize>());
    let outer: usize = x.shape[..axis].iter().product();
    let places = (0..outer).flat_map(|row| {
        from.iter().flat_map(move |&at| (0..inner).map(move |column| (row * size + at) * inner + column))
    });
    let mut shape = x.shape.clone();
    shape[axis] = from.len();
    x.picked(shape, places)
}

/// Gathers elements along an axis; indices of any rank, negative ones count from the end.
pub fn gather(x: &Array, indices: &Array, at: i64) -> Result<Array, String> {
    let at = axis(at, x.shape.len())?;
    let size = x.shape[at];
    let shape = [&x.shape[..at], &indices.shape, &x.shape[at + 1..]].concat();
    counted(&shape)?;
    let place = |index: i64| {
        let counted = if index < 0 { index.saturating_add(size as i64) } else { index };
        let place = usize::try_from(counted).ok().filter(|&place| place < size);
        place.ok_or_else(|| format!("picks the element {index} of {size}"))
    };
    let places = indices.whole().into_iter().map(place).collect::<Result<Vec<_>, _>>()?;
    Ok(Array { shape, ..along(x, at, &places) })
}

/// Joins arrays along an axis.
pub fn concat(parts: &[Array], at: i64) -> Result<Array, String> {
    let first = parts.first().ok_or("joins nothing")?;
    let at = axis(at, first.shape.len())?;
    let mut shape = first.shape.clone();
    shape[at] = 0;
    for part in parts {
        let fits = part.element == first.element
            && part.shape.len() == shape.len()
            && (0..shape.len()).all(|axis| axis == at || part.shape[axis] == shape[axis]);
        if !fits {
            return Err(format!("cannot join {:?} to {:?} along axis {at}", part.shape, first.shape));
        }
        shape[at] = shape[at].saturating_add(part.shape[at]);
    }
    counted(&shape)?;
    let outer: usize = shape[..at].iter().product();
    let width = |part: &Array| part.shape[at..].iter().product::<usize>();
    let numbers = match first.numbers {
        Numbers::Real(_) => Numbers::Real(rows(outer, parts, width, |part| part.real())),
        Numbers::Whole(_) => Numbers::Whole(rows(outer, parts, width, |part| part.whole())),
    };
    Ok(Array { shape, element: first.element, numbers })
}

fn rows<T: Copy>(
    outer: usize,
    parts: &[Array],
    width: impl Fn(&Array) -> usize,
    numbers: impl Fn(&Array) -> Vec<T>,
) -> Vec<T> {
    let parts: Vec<(usize, Vec<T>)> = parts.iter().map(|part| (width(part), numbers(part))).collect();
    (0..outer)
        .flat_map(|row| parts.iter().flat_map(move |(width, all)| &all[row * width..(row + 1) * width]))
        .copied()
        .collect()
}

/// A cut along one axis: from where to where, in which steps.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// The axis.
    pub axis: usize,
    /// First index; clamped as ONNX says.
    pub start: i64,
    /// The index behind the last one, or before it if steps are negative.
    pub end: i64,
    /// Step, not 0.
    pub step: i64,
}

impl Cut {
    /// The indices that are kept of an axis of this size.
    pub fn places(&self, size: usize) -> Vec<usize> {
        let size = size as i64;
        let counted = |index: i64| if index < 0 { index.saturating_add(size) } else { index };
        let (low, high) = if self.step > 0 { (0, size) } else { (-1, size - 1) };
        let start = counted(self.start).clamp(low.max(0), high.max(0));
        let end = counted(self.end).clamp(low, high);
        let mut made = Vec::new();
        let mut at = start;
        while (self.step > 0 && at < end) || (self.step < 0 && at > end) {
            made.extend(usize::try_from(at).ok().filter(|&at| (at as i64) < size));
            at = at.saturating_add(self.step);
        }
        made
    }
}

/// Cuts along several axes.
pub fn slice(x: &Array, cuts: &[Cut]) -> Array {
    cuts.iter().fold(x.clone(), |made, cut| along(&made, cut.axis, &cut.places(made.shape[cut.axis])))
}

/// The same elements in another shape; 0 keeps an axis unless `literal`, -1 is worked out.
pub fn reshaped_to(from: &[usize], wanted: &[i64], literal: bool) -> Result<Shape, String> {
    let refused = || format!("{from:?} cannot be reshaped to {wanted:?}");
    let sizes = wanted.iter().enumerate().map(|(at, &size)| match size {
        -1 => Some(1),
        0 if !literal => from.get(at).copied(),
        size => usize::try_from(size).ok(),
    });
    let mut shape = sizes.collect::<Option<Shape>>().ok_or_else(refused)?;
    let open: Vec<usize> = (0..wanted.len()).filter(|&at| wanted[at] == -1).collect();
    let known = counted_any(&shape).ok_or_else(refused)?;
    let all = counted_any(from).ok_or_else(refused)?;
    match open[..] {
        [] => {}
        [at] if known > 0 && all % known == 0 => shape[at] = all / known,
        _ => return Err(refused()),
    }
    if counted_any(&shape) == Some(all) { Ok(shape) } else { Err(refused()) }
}

fn counted_any(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size))
}

/// The shape without these axes, or without all of size 1.
pub fn squeezed(shape: &[usize], axes: Option<&[i64]>) -> Result<Shape, String> {
    let Some(axes) = axes else { return Ok(shape.iter().copied().filter(|&size| size != 1).collect()) };
    let axes = axes.iter().map(|&at| axis(at, shape.len())).collect::<Result<Vec<_>, _>>()?;
    match axes.iter().find(|&&at| shape[at] != 1) {
        Some(at) => Err(format!("axis {at} of {shape:?} is not of size 1")),
        None => Ok((0..shape.len()).filter(|at| !axes.contains(at)).map(|at| shape[at]).collect()),
    }
}

/// The shape with axes of size 1 at these places.
pub fn unsqueezed(shape: &[usize], axes: &[i64]) -> Result<Shape, String> {
    let rank = shape.len() + axes.len();
    let places = axes.iter().map(|&at| axis(at, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut rest = shape.iter();
    let made: Shape = (0..rank)
        .map(|at| if places.contains(&at) { Some(1) } else { rest.next().copied() })
        .map_while(|size| size)
        .collect();
    if made.len() == rank { Ok(made) } else { Err(format!("{axes:?} has an axis twice")) }
}

/// The axes before one as one, and those from it on as one.
pub fn flattened(shape: &[usize], at: i64) -> Result<Shape, String> {
    let at = if at == shape.len() as i64 { shape.len() } else { axis(at, shape.len())? };
    let product = |sizes: &[usize]| counted_any(sizes).ok_or_else(|| format!("{shape:?} is too large"));
    Ok(vec![product(&shape[..at])?, product(&shape[at..])?])
}

/// Repeats an array to a shape that both broadcast to.
pub fn expand(x: &Array, wanted: &[i64]) -> Result<Array, String> {
    let shape = sizes(wanted)?;
    Ok(x.broadcast(&broadcast(&x.shape, &shape)?))
}

/// Repeats an array so often along each axis.
pub fn tile(x: &Array, repeats: &[i64]) -> Result<Array, String> {
    let repeats = sizes(repeats)?;
    if repeats.len() != x.shape.len() {
        return Err(format!("repeats {:?} by {repeats:?}", x.shape));
    }
    let shape: Shape = x.shape.iter().zip(&repeats).map(|(&size, &times)| size.saturating_mul(times)).collect();
    counted(&shape)?;
    if repeats.contains(&0) {
        return Ok(x.picked(shape, std::iter::empty()));
    }
    Ok(repeats.iter().enumerate().fold(x.clone(), |made, (at, &times)| {
        let size = made.shape[at];
        let places: Vec<usize> = (0..times).flat_map(|_| 0..size).collect();
        along(&made, at, &places)
    }))
}

/// Sizes of axes.
pub fn sizes(values: &[i64]) -> Result<Shape, String> {
    let sizes = values.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Shape>>();
    sizes.ok_or_else(|| format!("{values:?} are no sizes"))
}

/// `start`, `start + step`, … up to `limit`, which is left out.
pub fn range(start: &Array, limit: &Array, step: &Array) -> Result<Array, String> {
    if [start, limit, step].iter().any(|one| one.shape.iter().product::<usize>() != 1 || one.element != start.element) {
        return Err("three single numbers of one type are wanted".into());
    }
    let places = |count: f64| counted(&[if count > 0.0 { count as usize } else { 0 }]);
    let element = start.element;
    if element.is_real() {
        let [start, limit, step] = [start, limit, step].map(|one| one.real()[0]);
        let count = places(((f64::from(limit) - f64::from(start)) / f64::from(step)).ceil())?;
        let values = (0..count).map(|at| start + at as f32 * step).collect();
        return Ok(Array { shape: vec![count], element, numbers: Numbers::Real(values) });
    }
    let [start, limit, step] = [start, limit, step].map(|one| one.whole()[0]);
    if step == 0 {
        return Err("a range in steps of 0 has no end".into());
    }
    let span = (i128::from(limit) - i128::from(start)) as f64;
    let count = places((span / step as f64).ceil())?;
    let values = (0..count as i64).map(|at| start.wrapping_add(at.wrapping_mul(step))).collect();
    Ok(Array { shape: vec![count], element, numbers: Numbers::Whole(values) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(values: &[i64], shape: &[usize]) -> Array {
        Array::long(values.to_vec(), shape.to_vec())
    }

    #[test]
    fn elements_are_gathered_joined_and_cut() {
        let x = long(&[1, 2, 3, 4, 5, 6], &[2, 3]);
        let one = gather(&x, &long(&[-1], &[]), 1).unwrap();
        assert_eq!((one.shape.clone(), one.whole()), (vec![2], vec![3, 6]));
        let square = gather(&x, &long(&[0, 1, 1, 0], &[2, 2]), 0).unwrap();
        assert_eq!(square.shape, [2, 2, 3]);
        assert_eq!(square.whole(), [1, 2, 3, 4, 5, 6, 4, 5, 6, 1, 2, 3]);
        let wide = concat(&[x.clone(), x.clone()], -1).unwrap();
        assert_eq!((wide.shape.clone(), wide.whole()), (vec![2, 6], vec![1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]));
        let cut = |axis, start, end, step| slice(&x, &[Cut { axis, start, end, step }]).whole();
        assert_eq!(cut(1, -2, i64::MAX, 1), [2, 3, 5, 6]);
        assert_eq!(cut(1, -1, i64::MIN, -1), [3, 2, 1, 6, 5, 4]);
        assert_eq!(cut(1, 0, 3, 2), [1, 3, 4, 6]);
        assert_eq!(cut(0, 5, 9, 1), Vec::<i64>::new());
        assert_eq!(tile(&x, &[1, 2]).unwrap().whole(), [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
        assert_eq!(expand(&long(&[7], &[1]), &[2, 2]).unwrap().whole(), [7; 4]);
    }

    #[test]
    fn shapes_are_worked_out() {
        assert_eq!(reshaped_to(&[2, 3, 4], &[0, -1], false).unwrap(), [2, 12]);
        assert_eq!(reshaped_to(&[0, 3], &[0, 3], true).unwrap(), [0, 3]);
        assert_eq!(squeezed(&[1, 2, 1], None).unwrap(), [2]);
        assert_eq!(squeezed(&[1, 2, 1], Some(&[-1])).unwrap(), [1, 2]);
        assert_eq!(unsqueezed(&[2, 3], &[0, -1]).unwrap(), [1, 2, 3, 1]);
        assert_eq!(flattened(&[2, 3, 4], -1).unwrap(), [6, 4]);
        assert_eq!(flattened(&[2, 3, 4], 3).unwrap(), [24, 1]);
    }

    #[test]
    fn what_cannot_be_is_an_error_and_no_panic() {
        let x = long(&[1, 2], &[2]);
        assert!(gather(&x, &long(&[2], &[1]), 0).is_err());
        assert!(gather(&x, &long(&[0], &[1]), 1).is_err());
        assert!(concat(&[], 0).is_err() && concat(&[x.clone(), long(&[1], &[1, 1])], 0).is_err());
        for wanted in [&[-1, -1][..], &[3], &[-1, 3], &[0, 0, 0], &[-2], &[i64::MAX, i64::MAX, 4]] {
            assert!(reshaped_to(&[2, 1], wanted, false).is_err(), "{wanted:?}");
        }
        assert!(squeezed(&[1, 2], Some(&[1])).is_err() && unsqueezed(&[1], &[0, 0]).is_err());
        assert!(expand(&x, &[1 << 40]).is_err() && tile(&x, &[1 << 40]).is_err());
        let number = |value| long(&[value], &[]);
        assert!(range(&number(0), &number(1), &number(0)).is_err());
        assert!(range(&number(0), &number(i64::MAX), &number(1)).is_err());
        assert!(range(&number(i64::MIN), &number(i64::MAX), &number(1)).is_err());
        assert_eq!(range(&number(5), &number(0), &number(-2)).unwrap().whole(), [5, 3, 1]);
    }
}
