//! The Cholesky factor of a positive definite matrix, in blocks, so that nearly all of the work is products of matrices.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, s};

/// Columns that are factored between two products.
const BLOCK: usize = 32;

/// Puts `L` of `A = L L^T` into the lower triangle of a symmetric matrix, and zeros above it. `None` if the matrix is
/// not positive definite.
pub(crate) fn cholesky(matrix: &mut Array2<f64>) -> Option<()> {
    let width = matrix.nrows();
    for first in (0..width).step_by(BLOCK) {
        let last = width.min(first + BLOCK);
        let (done, mut panel) = matrix.multi_slice_mut((s![first.., ..first], s![first.., first..last]));
        let top = done.slice(s![..last - first, ..]);
        general_mat_mul(-1.0, &done, &top.t(), 1.0, &mut panel);
        for column in 0..last - first {
            let (left, mut own) = panel.multi_slice_mut((s![column.., ..column], s![column.., column]));
            own -= &left.dot(&left.row(0));
            let pivot = own[0];
            if !(pivot.is_finite() && pivot > 0.0) {
                return None;
            }
            own /= pivot.sqrt();
        }
    }
    for row in 0..width {
        matrix.slice_mut(s![row, row + 1..]).fill(0.0);
    }
    Some(())
}

/// Solves `Y (L L^T) = B` for each row of `B`, which becomes `Y`; `factor` is `L`.
pub(crate) fn solve(factor: &Array2<f64>, rows: &mut Array2<f64>) {
    let width = factor.nrows();
    let starts = || (0..width).step_by(BLOCK);
    // First Z L^T = B, from the first column to the last.
    for first in starts() {
        let last = width.min(first + BLOCK);
        let (done, mut own) = rows.multi_slice_mut((s![.., ..first], s![.., first..last]));
        general_mat_mul(-1.0, &done, &factor.slice(s![first..last, ..first]).t(), 1.0, &mut own);
        for mut row in own.rows_mut() {
            for at in 0..last - first {
                let known: f64 = (0..at).map(|other| row[other] * factor[(first + at, first + other)]).sum();
                row[at] = (row[at] - known) / factor[(first + at, first + at)];
            }
        }
    }
    // Then Y L = Z, from the last column to the first.
    for first in starts().rev() {
        let last = width.min(first + BLOCK);
        let (mut own, done) = rows.multi_slice_mut((s![.., first..last], s![.., last..]));
        general_mat_mul(-1.0, &done, &factor.slice(s![last.., first..last]), 1.0, &mut own);
        for mut row in own.rows_mut() {
            for at in (0..last - first).rev() {
                let later = at + 1..last - first;
                let known: f64 = later.map(|other| row[other] * factor[(first + other, first + at)]).sum();
                row[at] = (row[at] - known) / factor[(first + at, first + at)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_times_itself_is_the_matrix() {
        for width in [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5] {
            let near = |a: usize, b: usize| 1.0 / (1.0 + a.abs_diff(b) as f64);
            let matrix = Array2::from_shape_fn((width, width), |(a, b)| near(a, b) + f64::from(u8::from(a == b)));
            let mut factor = matrix.clone();
            cholesky(&mut factor).unwrap();
            let back = factor.dot(&factor.t());
            assert!((&back - &matrix).iter().all(|error| error.abs() < 1e-12), "{width}");
            assert!((0..width).all(|row| (row + 1..width).all(|column| factor[(row, column)] == 0.0)));
        }
    }

    #[test]
    fn equations_are_solved() {
        for width in [1, BLOCK, 2 * BLOCK + 7] {
            let near = |a: usize, b: usize| 1.0 / (1.0 + a.abs_diff(b) as f64);
            let matrix = Array2::from_shape_fn((width, width), |(a, b)| near(a, b) + f64::from(u8::from(a == b)));
            let wanted = Array2::from_shape_fn((3, width), |(row, at)| ((row * 5 + at * 3) % 11) as f64 - 5.0);
            let (mut factor, mut rows) = (matrix.clone(), wanted.dot(&matrix));
            cholesky(&mut factor).unwrap();
            solve(&factor, &mut rows);
            assert!((&rows - &wanted).iter().all(|error| error.abs() < 1e-10), "{width}");
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        assert!(cholesky(&mut Array2::from_elem((2, 2), 1.0)).is_none());
        assert!(cholesky(&mut Array2::from_elem((1, 1), f64::NAN)).is_none());
        assert!(cholesky(&mut Array2::from_diag(&ndarray::arr1(&[1.0, -1.0]))).is_none());
    }
}
