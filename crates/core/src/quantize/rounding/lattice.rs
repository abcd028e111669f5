//! The nearest point of a lattice, which is what rounding with second moments comes down to: of all integers that the
//! weights of an output channel may become, those for which the layer's output changes least.
//!
//! With `H = X^T X` over the rows `X` that a channel's weights `w` are multiplied with, integers of the real values `q`
//! change the outputs by `(w - q) H (w - q)^T` in sum of squares. Finding the best `q` is the closest vector problem.
//! Two steps come near: Babai's nearest plane, which rounds one weight after the other, each as the errors of those
//! before it demand, and is what GPTQ does (Frantar et al., arXiv 2210.17323; shown by Chen et al., arXiv 2507.18553);
//! and a descent along single coordinates until no weight alone can do better, or five times over all (as QuantEase,
//! Behdin et al., arXiv 2309.01885).

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::cholesky::cholesky;
use crate::encoding::round;
use autoneural_base::machine::threads;

/// Columns that are rounded before their errors are carried to all others by one product of matrices.
const BLOCK: usize = 64;
/// Channels that are worked on together.
const ROWS: usize = 32;
/// Most times that the descent goes over all weights.
const SWEEPS: usize = 5;

/// What rounding has to make small: a form that is positive definite.
pub(crate) struct Lattice {
    /// The columns in the order in which the matrices have them: those that matter least first. Nearest planes begin at
    /// the last.
    order: Vec<usize>,
    /// `H`.
    form: Array2<f32>,
    /// `L` of `H = L L^T`.
    factor: Array2<f32>,
}

/// The integers that weights may become, for some output channels.
pub(crate) struct Grid<'a> {
    /// Smallest and largest integer.
    pub limits: (i64, i64),
    /// Scales: for each channel one for each block of columns.
    pub scales: &'a [f32],
    /// Columns of a block.
    pub block: usize,
}

impl Lattice {
    /// Of a symmetric form, to whose diagonal `damping` of its mean is added. `None` if that is not positive definite:
    /// all rows were zero, or numbers are not finite.
    pub(crate) fn new(form: ArrayView2<f64>, damping: f64) -> Option<Self> {
        let width = form.nrows();
        let mean = form.diag().sum() / width as f64;
        if !(mean.is_finite() && mean > 0.0) {
            return None;
        }
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|&a, &b| form[(a, a)].total_cmp(&form[(b, b)]));
        let mut damped = Array2::zeros((width, width));
        for (mut row, &from) in damped.rows_mut().into_iter().zip(&order) {
            let form = form.row(from);
            row.iter_mut().zip(&order).for_each(|(number, &column)| *number = form[column] / mean);
        }
        damped.diag_mut().iter_mut().for_each(|number| *number += damping);
        let form = damped.mapv(|number| number as f32);
        cholesky(&mut damped)?;
        Some(Lattice { order, form, factor: damped.mapv(|number| number as f32) })
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.order.len()
    }

    /// Integers for channels, whose weights stand one after the other.
    pub(crate) fn round(&self, weights: &[f32], grid: &Grid) -> Vec<i32> {
        let width = self.width();
        let per_row = grid.scales.len() / (weights.len() / width).max(1);
        let count = weights.len() / width;
        let threads = threads();
        let share = count.div_ceil(threads).next_multiple_of(ROWS);
        let mut made = vec![0; weights.len()];
        let inputs = weights.chunks(share * width).zip(grid.scales.chunks(share * per_row));
        let parts = inputs.zip(made.chunks_mut(share * width)).map(|((weights, scales), codes)| {
            move || {
                let inputs = weights.chunks(ROWS * width).zip(scales.chunks(ROWS * per_row));
                for ((weights, scales), codes) in inputs.zip(codes.chunks_mut(ROWS * width)) {
                    self.some(weights, &Grid { scales, ..*grid }, codes);
                }
            }
        });
        if count <= ROWS {
            parts.for_each(|mut part| part());
        } else {
            std::thread::scope(|scope| parts.for_each(|part| drop(scope.spawn(part))));
        }
        made
    }

    /// Up to [`ROWS`] channels.
    fn some(&self, weights: &[f32], grid: &Grid, codes: &mut [i32]) {
        let (width, count) = (self.width(), weights.len() / self.width());
        let per_row = grid.scales.len() / count;
        let (least, most) = (grid.limits.0 as f32, grid.limits.1 as f32);
        // Row by row, in the order of the matrices.
        let mut wanted = vec![0f32; weights.len()];
        let mut scales = vec![0f32; weights.len()];
        for row in 0..count {
            for (at, &column) in self.order.iter().enumerate() {
                wanted[row * width + at] = weights[row * width + column];
                scales[row * width + at] = grid.scales[row * per_row + column / grid.block];
            }
        }
        let nearest = |value: f32, scale: f32| round(value / scale).clamp(least, most);
        let mut integers = vec![0f32; weights.len()];
        let mut errors = vec![0f32; weights.len()];
        let mut carried = vec![0f32; count * BLOCK];
        for first in (0..width.div_ceil(BLOCK)).rev().map(|block| block * BLOCK) {
            let last = width.min(first + BLOCK);
            let here = last - first;
            let mut carried = view_mut(&mut carried[..count * here], here);
            let behind = self.factor.slice(s![last.., first..last]);
            // Without columns behind, this is a product of nothing, and makes zeros.
            general_mat_mul(1.0, &view(&errors, width).slice(s![.., last..]), &behind, 0.0, &mut carried);
            for (row, mut carried) in carried.rows_mut().into_iter().enumerate() {
                for at in (first..last).rev() {
                    let place = row * width + at;
                    // What this column and those before it in the block get from its own error.
                    let factors = &row_of(&self.factor, at)[first..=at];
                    let aim = wanted[place] + carried[at - first] / factors[at - first];
                    integers[place] = nearest(aim, scales[place]);
                    let error = wanted[place] - integers[place] * scales[place];
                    errors[place] = error;
                    carried.iter_mut().zip(factors).for_each(|(carried, factor)| *carried += error * factor);
                }
            }
        }
        let mut slopes = vec![0f32; weights.len()];
        general_mat_mul(1.0, &view(&errors, width), &self.form, 0.0, &mut view_mut(&mut slopes, width));
        for row in 0..count {
            let own = row * width..(row + 1) * width;
            let slopes = &mut slopes[own.clone()];
            let (integers, scales) = (&mut integers[own.clone()], &scales[own]);
            for _ in 0..SWEEPS {
                let mut is_better = false;
                for at in 0..width {
                    // The form is symmetric.
                    let column = row_of(&self.form, at);
                    let next = nearest(integers[at] * scales[at] + slopes[at] / column[at], scales[at]);
                    if next != integers[at] {
                        let change = (next - integers[at]) * scales[at];
                        slopes.iter_mut().zip(column).for_each(|(slope, form)| *slope -= change * form);
                        integers[at] = next;
                        is_better = true;
                    }
                }
                if !is_better {
                    break;
                }
            }
            for (at, &column) in self.order.iter().enumerate() {
                codes[row * width + column] = integers[at] as i32;
            }
        }
    }
}

/// Numbers as a matrix of so many columns.
fn view(numbers: &[f32], width: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((numbers.len() / width, width), numbers).expect("whole rows")
}

/// As [`view`], to write.
fn view_mut(numbers: &mut [f32], width: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((numbers.len() / width, width), numbers).expect("whole rows")
}

fn row_of(matrix: &Array2<f32>, at: usize) -> &[f32] {
    let width = matrix.ncols();
    &matrix.as_slice().expect("in standard layout")[at * width..][..width]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Rows of so many columns, of which neighbours are alike.
    fn rows(count: usize, width: usize, seed: u32) -> Vec<f64> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1u32 << 24) - 0.5
        };
        let mut made = vec![0.0; count * width];
        for row in made.chunks_mut(width) {
            let common = next() * 2.0;
            row.iter_mut().for_each(|number| *number = common + next());
        }
        made
    }

    fn form(rows: &[f64], width: usize) -> Array2<f64> {
        Array2::from_shape_fn((width, width), |(a, b)| rows.chunks(width).map(|row| row[a] * row[b]).sum())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 40, ..ProptestConfig::default() })]
        #[test]
        fn outputs_of_many_channels_change_less_than_with_the_nearest_integers(
            seed in any::<u32>(), width in 2usize..150, count in 20usize..70, bits in 3u32..6,
        ) {
            let rows = rows(width * 2, width, seed);
            let weights: Vec<f32> = self::rows(count, width, seed ^ 77).iter().map(|&w| w as f32).collect();
            let limits = (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1);
            let scales = vec![1.5 / limits.1 as f32; count];
            let made = Lattice::new(form(&rows, width).view(), 0.01).unwrap();
            let found = made.round(&weights, &Grid { limits, scales: &scales, block: width });
            let change = |code: &dyn Fn(usize) -> f64| -> f64 {
                (0..count).map(|channel| rows.chunks(width).map(|row| {
                    let of = |at: usize| (f64::from(weights[channel * width + at]) - code(channel * width + at)) * row[at];
                    (0..width).map(of).sum::<f64>().powi(2)
                }).sum::<f64>()).sum()
            };
            let scale = f64::from(scales[0]);
            let own = change(&|at| f64::from(found[at]) * scale);
            let nearest = change(&|at| {
                (f64::from(weights[at]) / scale).round().clamp(limits.0 as f64, limits.1 as f64) * scale
            });
            prop_assert!(own <= nearest * 1.001 + 1e-9, "{own} {nearest}");
            prop_assert!(found.iter().all(|&code| (limits.0..=limits.1).contains(&i64::from(code))));
        }
    }

    #[test]
    fn few_weights_get_nearly_the_best_of_all_integers() {
        let (width, limits) = (5, (-4i64, 3i64));
        let mut lost = 0.0;
        for seed in 0..20 {
            let rows = rows(30, width, seed);
            let weights: Vec<f32> = self::rows(1, width, seed + 100).iter().map(|&w| w as f32).collect();
            let scale = 0.4f32;
            let of = |codes: &[i32]| -> f64 {
                let change = |row: &[f64]| -> f64 {
                    let one = |at: usize| f64::from(weights[at] - codes[at] as f32 * scale) * row[at];
                    (0..width).map(one).sum::<f64>().powi(2)
                };
                rows.chunks(width).map(change).sum()
            };
            let all = (0..8usize.pow(width as u32)).map(|number| -> Vec<i32> {
                (0..width).map(|at| (number / 8usize.pow(at as u32) % 8) as i32 - 4).collect()
            });
            let best = all.map(|codes| of(&codes)).fold(f64::INFINITY, f64::min);
            let made = Lattice::new(form(&rows, width).view(), 1e-6).unwrap();
            let found = made.round(&weights, &Grid { limits, scales: &[scale], block: width });
            lost += of(&found) / best;
        }
        assert!(lost / 20.0 < 1.3, "{}", lost / 20.0);
    }

    #[test]
    fn channels_do_not_depend_on_their_neighbours_and_blocks_have_scales_of_their_own() {
        let (width, count) = (70, 65);
        let rows = rows(200, width, 3);
        let weights: Vec<f32> = self::rows(count, width, 4).iter().map(|&w| w as f32).collect();
        let scales: Vec<f32> = (0..count * 2).map(|at| 0.1 + 0.01 * (at % 7) as f32).collect();
        let made = Lattice::new(form(&rows, width).view(), 0.01).unwrap();
        let grid = Grid { limits: (-8, 7), scales: &scales, block: 35 };
        let all = made.round(&weights, &grid);
        for row in [0, 31, 32, 64] {
            let grid = Grid { scales: &scales[row * 2..row * 2 + 2], ..grid };
            let one = made.round(&weights[row * width..(row + 1) * width], &grid);
            assert_eq!(one, all[row * width..(row + 1) * width]);
        }
    }

    #[test]
    fn what_no_row_reads_has_no_form() {
        assert!(Lattice::new(Array2::zeros((3, 3)).view(), 0.01).is_none());
        assert!(Lattice::new(Array2::from_elem((2, 2), f64::NAN).view(), 0.01).is_none());
    }
}
