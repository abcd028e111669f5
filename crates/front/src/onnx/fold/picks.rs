//! Picking and placing by indices that are known: where each element of the result comes from.

use super::array::{Array, axis, counted};
use autoneural_core::ir::ops::OnnxNode;
use autoneural_core::ir::{Shape, index_of};

/// Elements of a tensor in another shape: for each its place in row-major order.
pub struct Picked {
    /// Shape of the result.
    pub shape: Shape,
    /// Where each element of it was.
    pub places: Vec<usize>,
}

fn placed(index: i64, size: usize) -> Result<usize, String> {
    let counted = if index < 0 { index.saturating_add(size as i64) } else { index };
    let place = usize::try_from(counted).ok().filter(|&place| place < size);
    place.ok_or_else(|| format!("picks the element {index} of {size}"))
}

fn flat(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |place, (at, size)| place * size + at)
}

/// `GatherElements`: one axis of each place is replaced by an index.
pub fn elements(shape: &[usize], indices: &Array, at: i64) -> Result<Picked, String> {
    let at = axis(at, shape.len())?;
    let wanted = &indices.shape;
    let fits = wanted.len() == shape.len() && (0..shape.len()).all(|axis| axis == at || wanted[axis] <= shape[axis]);
    if !fits {
        return Err(format!("picks {wanted:?} of {shape:?}"));
    }
    counted(wanted)?;
    let place = |(position, index): (usize, i64)| {
        let mut place = index_of(position, wanted);
        place[at] = placed(index, shape[at])?;
        Ok(flat(&place, shape))
    };
    let places = indices.whole().into_iter().enumerate().map(place).collect::<Result<_, String>>()?;
    Ok(Picked { shape: wanted.clone(), places })
}

/// `GatherND`: rows of indices, each of which names an element or a part.
pub fn rows(shape: &[usize], indices: &Array, batch: i64) -> Result<Picked, String> {
    let refused = || format!("picks by indices of the shape {:?} of {shape:?}, {batch} axes apart", indices.shape);
    let batch = usize::try_from(batch).map_err(|_| refused())?;
    let (&depth, outer) = indices.shape.split_last().ok_or_else(refused)?;
    let fits = batch <= outer.len() && batch + depth <= shape.len() && outer[..batch] == shape[..batch];
    if !fits || depth == 0 {
        return Err(refused());
    }
    let part = &shape[batch + depth..];
    let made = [outer, part].concat();
    counted(&made)?;
    let size: usize = part.iter().product();
    let mut places = Vec::with_capacity(made.iter().product());
    for (row, index) in indices.whole().chunks_exact(depth).enumerate() {
        let mut start = index_of(row, outer)[..batch].to_vec();
        for (&index, &size) in index.iter().zip(&shape[batch..]) {
            start.push(placed(index, size)?);
        }
        let start = flat(&start, shape) * size;
        places.extend(start..start + size);
    }
    Ok(Picked { shape: made, places })
}

/// `ScatterND` and `ScatterElements`: where each element comes from, counted through the data and then the updates.
pub fn scattered(shape: &[usize], targets: &Picked) -> Picked {
    let count: usize = shape.iter().product();
    let mut places: Vec<usize> = (0..count).collect();
    // What comes later counts.
    targets.places.iter().enumerate().for_each(|(update, &place)| places[place] = count + update);
    Picked { shape: shape.to_vec(), places }
}

/// Rows that have one other number, or none where an index is beyond them.
///
/// # Errors
/// A depth that is none, other values than two, too many elements.
pub fn one_hot(node: &OnnxNode, indices: &Array, depth: &Array, values: &Array) -> Result<Array, String> {
    let depth = depth.whole().first().copied().filter(|&depth| depth > 0).ok_or("wants a depth of 1 or more")?;
    let rank = indices.shape.len();
    let at = match node.int("axis", -1)? {
        -1 => rank,
        stated => axis(stated, rank + 1)?,
    };
    if values.shape != [2] {
        return Err(format!("has values of {:?}; two are wanted", values.shape));
    }
    let mut shape = indices.shape.clone();
    shape.insert(at, usize::try_from(depth).unwrap_or(usize::MAX));
    counted(&shape)?;
    let whole = indices.whole();
    let inner: usize = indices.shape[at..].iter().product();
    let place = |at: usize| {
        let (outer, row, rest) = (at / inner / depth as usize, (at / inner) as i64 % depth, at % inner);
        let index = whole[outer * inner + rest];
        usize::from(row == if index < 0 { index.saturating_add(depth) } else { index })
    };
    let count = shape.iter().product();
    Ok(values.picked(shape, (0..count).map(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_onnx() {
        // The examples of the ONNX specification.
        let made = elements(&[3, 3], &Array::long(vec![1, 2, 0, 2, 0, 0], vec![2, 3]), 0).unwrap();
        assert_eq!((made.shape, made.places), (vec![2, 3], vec![3, 7, 2, 6, 1, 2]));
        let made = rows(&[2, 2, 2], &Array::long(vec![0, 1, 1, 0], vec![2, 1, 2]), 0).unwrap();
        assert_eq!((made.shape, made.places), (vec![2, 1, 2], vec![2, 3, 4, 5]));
        let made = rows(&[2, 2, 2], &Array::long(vec![1, 0], vec![2, 1]), 1).unwrap();
        assert_eq!((made.shape, made.places), (vec![2, 2], vec![2, 3, 4, 5]));
        let target = rows(&[4], &Array::long(vec![3, -4], vec![2, 1]), 0).unwrap();
        assert_eq!(scattered(&[4], &target).places, [5, 1, 2, 4]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let index = |values: &[i64], shape: &[usize]| Array::long(values.to_vec(), shape.to_vec());
        assert!(elements(&[2, 2], &index(&[2, 0], &[1, 2]), 0).is_err());
        assert!(elements(&[2, 2], &index(&[0], &[1]), 0).is_err());
        for (indices, batch) in [(index(&[2], &[1, 1]), 0), (index(&[0, 0, 0], &[1, 3]), 0), (index(&[0], &[1, 1]), 1)]
        {
            assert!(rows(&[2, 2], &indices, batch).is_err());
        }
        assert!(rows(&[2, 2], &index(&[], &[0]), 0).is_err() && rows(&[2], &index(&[0], &[1, 1]), -1).is_err());
    }
}
