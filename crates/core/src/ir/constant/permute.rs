//! Permutation of axes.

/// A matrix is transposed in squares with this side, so that rows and columns stay in the cache.
const SQUARE: usize = 32;

fn transpose<T: Copy>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut made = values.to_vec();
    for first_row in (0..rows).step_by(SQUARE) {
        for first_column in (0..columns).step_by(SQUARE) {
            for column in first_column..columns.min(first_column + SQUARE) {
                for row in first_row..rows.min(first_row + SQUARE) {
                    made[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    made
}

/// The elements of a row-major tensor of this shape with permuted axes: output axis `i` is input axis `perm[i]`.
pub fn permute<T: Copy>(values: &[T], shape: &[usize], perm: &[usize]) -> Vec<T> {
    if let (&[rows, columns], [1, 0]) = (shape, perm) {
        return transpose(values, rows, columns);
    }
    let mut strides = vec![1usize; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    let out_shape: Vec<usize> = perm.iter().map(|&axis| shape[axis]).collect();
    let out_strides: Vec<usize> = perm.iter().map(|&axis| strides[axis]).collect();
    let mut index = vec![0usize; shape.len()];
    let mut offset = 0usize;
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[offset]);
        for axis in (0..out_shape.len()).rev() {
            index[axis] += 1;
            offset += out_strides[axis];
            if index[axis] < out_shape[axis] {
                break;
            }
            offset -= out_strides[axis] * out_shape[axis];
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_larger_than_a_square_is_transposed_whole() {
        let (rows, columns) = (SQUARE + 3, 2 * SQUARE + 1);
        let values: Vec<usize> = (0..rows * columns).collect();
        let made = permute(&values, &[rows, columns], &[1, 0]);
        assert!((0..rows * columns).all(|at| made[at] == at % rows * columns + at / rows));
    }
}
