//! Row-major positions of elements, and their indices.

/// Index of an element of a tensor by its row-major position.
pub fn index_of(mut position: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (slot, &size) in index.iter_mut().zip(shape).rev() {
        *slot = position % size;
        position /= size;
    }
    index
}

/// Row-major position of an index.
pub(super) fn position_of(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |position, (at, size)| position * size + at)
}
