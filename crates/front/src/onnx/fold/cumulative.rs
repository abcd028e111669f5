//! Sums up to each place of constants: positions are made so.

use super::array::{Array, Numbers, axis};
use autoneural_core::ir::ops::OnnxNode;

/// Sums up to each place along an axis.
pub fn cumulative(node: &OnnxNode, x: &Array, along: &Array) -> Result<Array, String> {
    let axis = axis(*along.whole().first().ok_or("does not say along which axis")?, x.shape.len())?;
    let (exclusive, reverse) = (node.int("exclusive", 0)? != 0, node.int("reverse", 0)? != 0);
    let (size, inner) = (x.shape[axis], x.shape[axis + 1..].iter().product::<usize>());
    let numbers = match &x.numbers {
        Numbers::Real(values) => Numbers::Real(sums(values, size, inner, exclusive, reverse, |a, b| Some(a + b))?),
        Numbers::Whole(values) => Numbers::Whole(sums(values, size, inner, exclusive, reverse, i64::checked_add)?),
    };
    Ok(Array { shape: x.shape.clone(), element: x.element, numbers })
}

fn sums<T: Copy + Default>(
    values: &[T],
    size: usize,
    inner: usize,
    exclusive: bool,
    reverse: bool,
    add: impl Fn(T, T) -> Option<T>,
) -> Result<Vec<T>, String> {
    let mut made = values.to_vec();
    for block in made.chunks_exact_mut((size * inner).max(1)) {
        for column in 0..inner {
            let mut sum = T::default();
            for step in 0..size {
                let row = if reverse { size - 1 - step } else { step };
                let slot = &mut block[row * inner + column];
                let next = add(sum, *slot).ok_or("has a sum beyond the integers")?;
                *slot = if exclusive { sum } else { next };
                sum = next;
            }
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_both_ways_with_and_without_the_element() {
        let values = [1i64, 2, 3, 4, 5, 6];
        let made = |exclusive, reverse| sums(&values, 3, 2, exclusive, reverse, i64::checked_add).unwrap();
        assert_eq!(made(false, false), [1, 2, 4, 6, 9, 12]);
        assert_eq!(made(true, false), [0, 0, 1, 2, 4, 6]);
        assert_eq!(made(false, true), [9, 12, 8, 10, 5, 6]);
        assert_eq!(made(true, true), [8, 10, 5, 6, 0, 0]);
        assert!(sums(&[i64::MAX, 1], 2, 1, false, false, i64::checked_add).is_err());
        assert!(sums(&[], 0, 2, false, false, i64::checked_add).unwrap().is_empty());
    }
}
