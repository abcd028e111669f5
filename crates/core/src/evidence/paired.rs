//! Moments of two streams side by side: of what a layer reads in the float model, and of what it reads there when the
//! layers before it are quantized.

use ndarray::{Array2, ArrayView2};

use crate::ir::ops::Rows;

/// Rows that are summed in single precision before they are added to the sums in double precision.
const BATCH: usize = 256;

/// Sums over the rows of one channel group. `x` is a row in float, `z` the same row behind quantized layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// Number of rows.
    pub rows: u64,
    /// `Z^T Z`: sums of the products of every two columns of `z`.
    pub own: Array2<f64>,
    /// `X^T Z`: sums of the products of each column of `x` with each column of `z`.
    pub cross: Array2<f64>,
    /// Sums of the columns of `x`.
    pub float: Vec<f64>,
    /// Sums of the columns of `z`.
    pub quantized: Vec<f64>,
}

/// Sums over the rows of each channel group. A row with a NaN or an infinity in either stream is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedMoments {
    width: usize,
    /// One for each channel group.
    pub groups: Vec<Paired>,
}

impl PairedMoments {
    /// Of rows with `width` columns, in so many channel groups; nothing is seen yet.
    pub fn new(width: usize, groups: usize) -> Self {
        let nothing = Paired {
            rows: 0,
            own: Array2::zeros((width, width)),
            cross: Array2::zeros((width, width)),
            float: vec![0.0; width],
            quantized: vec![0.0; width],
        };
        PairedMoments { width, groups: vec![nothing; groups] }
    }

    /// Columns of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds the rows of a value of this shape, row-major, in both streams.
    pub fn observe(&mut self, rows: &Rows, shape: &[usize], float: &[f32], quantized: &[f32]) {
        if rows.width(shape) != Some(self.width) || rows.groups() != self.groups.len() || self.width == 0 {
            return;
        }
        let collected = |values: &[f32]| {
            let mut made: Vec<Vec<f32>> = vec![vec![]; self.groups.len()];
            rows.visit(shape, values, &mut |group, row| made[group].extend_from_slice(row));
            made
        };
        let (mut float, mut quantized) = (collected(float), collected(quantized));
        for (group, (x, z)) in self.groups.iter_mut().zip(float.iter_mut().zip(&mut quantized)) {
            // Zeros add nothing.
            for (x, z) in x.chunks_mut(self.width).zip(z.chunks_mut(self.width)) {
                match x.iter().chain(&*z).all(|number| number.is_finite()) {
                    true => group.rows += 1,
                    false => [x, z].into_iter().for_each(|row| row.fill(0.0)),
                }
            }
            for (x, z) in x.chunks(BATCH * self.width).zip(z.chunks(BATCH * self.width)) {
                let view = |numbers| ArrayView2::from_shape((x.len() / self.width, self.width), numbers);
                let (Ok(x), Ok(z)) = (view(x), view(z)) else { continue };
                group.own.zip_mut_with(&z.t().dot(&z), |sum, more| *sum += f64::from(*more));
                group.cross.zip_mut_with(&x.t().dot(&z), |sum, more| *sum += f64::from(*more));
                for (sums, rows) in [(&mut group.float, x), (&mut group.quantized, z)] {
                    for row in rows.rows() {
                        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
                    }
                }
            }
        }
    }

    /// Adds the sums of another one. Returns whether both have the same columns and groups; if not, nothing changes.
    #[must_use]
    pub fn merge(&mut self, other: &PairedMoments) -> bool {
        if (self.width, self.groups.len()) != (other.width, other.groups.len()) {
            return false;
        }
        for (own, other) in self.groups.iter_mut().zip(&other.groups) {
            own.rows += other.rows;
            own.own += &other.own;
            own.cross += &other.cross;
            own.float.iter_mut().zip(&other.float).for_each(|(sum, more)| *sum += more);
            own.quantized.iter_mut().zip(&other.quantized).for_each(|(sum, more)| *sum += more);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_products_by_hand_and_add_up() {
        let (count, width) = (BATCH + 3, 5);
        let x: Vec<f32> = (0..count * width).map(|at| ((at * 31) % 17) as f32 - 8.0).collect();
        let z: Vec<f32> = x.iter().enumerate().map(|(at, x)| x + (at % 3) as f32).collect();
        let mut made = PairedMoments::new(width, 1);
        made.observe(&Rows::LastAxis, &[count, width], &x, &z);
        let sum = |a: &[f32], at: usize, b: &[f32], bt: usize| -> f64 {
            a.chunks(width).zip(b.chunks(width)).map(|(a, b)| f64::from(a[at]) * f64::from(b[bt])).sum()
        };
        let group = &made.groups[0];
        for a in 0..width {
            for b in 0..width {
                assert_eq!(group.own[(a, b)], sum(&z, a, &z, b));
                assert_eq!(group.cross[(a, b)], sum(&x, a, &z, b));
            }
            assert_eq!(group.float[a], x.chunks(width).map(|row| f64::from(row[a])).sum::<f64>());
            assert_eq!(group.quantized[a], z.chunks(width).map(|row| f64::from(row[a])).sum::<f64>());
        }
        let mut parts = PairedMoments::new(width, 1);
        let (xs, zs) = (x.split_at(100 * width), z.split_at(100 * width));
        parts.observe(&Rows::LastAxis, &[100, width], xs.0, zs.0);
        let mut second = PairedMoments::new(width, 1);
        second.observe(&Rows::LastAxis, &[count - 100, width], xs.1, zs.1);
        assert!(parts.merge(&second) && !parts.merge(&PairedMoments::new(width, 2)));
        assert_eq!(parts, made);
    }

    #[test]
    fn a_row_that_is_not_finite_in_one_stream_is_in_no_sum() {
        let mut made = PairedMoments::new(2, 1);
        made.observe(&Rows::LastAxis, &[2, 2], &[1.0, 2.0, f32::NAN, 1.0], &[3.0, 4.0, 5.0, 6.0]);
        let group = &made.groups[0];
        assert_eq!((group.rows, &group.float[..], &group.quantized[..]), (1, &[1.0, 2.0][..], &[3.0, 4.0][..]));
        assert_eq!(group.cross[(1, 0)], 6.0);
    }
}
