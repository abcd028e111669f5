//! Second moments of the rows that linear layers multiply: sums over rows, which add up over runs and shards.

use std::ops::{Deref, Range};
use std::panic::resume_unwind;

use ndarray::Array2;

use super::Exact;
use super::exact::SomeSums;
use super::products::{Columns, Tiles, triangle};
use super::sums::Sums;
use crate::ir::ops::{Rows, SomeRows};
use autoneural_base::machine::threads;

/// Rows of a run that are looked at, of each channel group and picture, if there are not more columns. Places of a picture
/// that lie near each other tell nearly the same, and with many samples more of them add time alone.
const FEWEST: usize = 32;
/// Rows that are put side by side before their products are added.
const ROWS: usize = 512;
/// Numbers of a value from which on threads share its channel groups; below, starting them takes longer.
const SHARED: usize = 1 << 14;

/// Sums of the products of every two columns, `X^T X`, and of each column, over rows of each channel group: over as many
/// rows of a run as there are columns, but at least 32, or over all if there are not more. For each group they are
/// the lower triangle of a matrix, row by row, to whose columns a last one of ones is added: `(width + 1) * (width + 2) /
/// 2` numbers. A row with a NaN or an infinity is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondMoments(Sums);

impl SecondMoments {
    /// Of rows with `width` columns, in so many channel groups; nothing is seen yet.
    pub fn new(width: usize, groups: usize) -> Self {
        SecondMoments(Sums::new(width, triangle(width + 1), groups))
    }

    /// Second moments with these sums, over `rows` rows of each group; `None` if the number of sums does not fit the
    /// columns and groups.
    pub fn of_sums(width: usize, sums: Exact, rows: Vec<u64>, non_finite: u64) -> Option<Self> {
        let each = width.checked_add(1)?.checked_mul(width.checked_add(2)?)? / 2;
        Sums::of(width, each, sums, rows, non_finite).map(SecondMoments)
    }

    /// Bytes that the sums take: 571 MB for one group of 8192 columns.
    pub fn bytes(width: usize, groups: usize) -> u64 {
        let size = (width as u64).saturating_add(1);
        (groups as u64).saturating_mul(size.saturating_mul(size + 1) / 2).saturating_mul(Exact::BYTES)
    }

    /// Sum of the products of columns `a` and `b` of a group.
    pub fn of(&self, group: usize, a: usize, b: usize) -> f64 {
        let (high, low) = (a.max(b), a.min(b));
        self.sums().get(group * triangle(self.width() + 1) + triangle(high) + low)
    }

    /// Mean of a column of a group over the same rows; 0 if no row was seen.
    pub fn mean(&self, group: usize, column: usize) -> f64 {
        self.of(group, self.width(), column) / self.rows()[group].max(1) as f64
    }

    /// Sums of the products of every two columns of a group, as a whole matrix.
    pub fn products(&self, group: usize) -> Array2<f64> {
        let width = self.width();
        let mut made = Array2::zeros((width, width));
        let mut at = group * triangle(width + 1);
        for high in 0..width {
            for low in 0..=high {
                let sum = self.sums().get(at);
                (made[(high, low)], made[(low, high)]) = (sum, sum);
                at += 1;
            }
        }
        made
    }

    /// Means of the products of every two columns over the rows of a group, as a whole matrix.
    pub fn mean_products(&self, group: usize) -> Array2<f32> {
        let rows = self.rows()[group].max(1) as f64;
        self.products(group).mapv(|sum| (sum / rows) as f32)
    }

    /// Adds rows of a value of this shape, row-major.
    pub fn observe(&mut self, rows: &Rows, shape: &[usize], values: &[f32]) {
        let some = SomeRows::new(rows, shape, FEWEST.max(self.width()));
        let Some(some) = some.filter(|_| self.fits(rows, shape)) else { return };
        let (groups, each) = (self.groups(), triangle(self.width() + 1));
        let threads = match groups > 1 && values.len() >= SHARED {
            true => threads(),
            false => 1,
        };
        let share = groups.div_ceil(threads).max(1);
        let (mut rows, mut left_out) = (vec![0; groups], 0);
        std::thread::scope(|scope| {
            let mut left = self.0.sums_mut().of(0..groups * each);
            let mut others = Vec::new();
            for (first, rows) in (0..groups).step_by(share).zip(rows.chunks_mut(share)) {
                let (own, behind) = left.split_at(rows.len() * each);
                left = behind;
                let some = &some;
                let work = move || add_groups(some, values, first..first + rows.len(), own, rows);
                match first + share < groups {
                    true => others.push(scope.spawn(work)),
                    false => left_out += work(),
                }
            }
            left_out +=
                others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic))).sum::<u64>();
        });
        self.0.count(&rows, left_out);
    }

    /// Adds the sums of another one. Returns whether both have the same columns and groups; if not, nothing changes.
    pub fn merge(&mut self, other: &SecondMoments) -> bool {
        self.0.merge(&other.0)
    }
}

impl Deref for SecondMoments {
    type Target = Sums;

    fn deref(&self) -> &Sums {
        &self.0
    }
}

/// Adds the rows of some channel groups to their sums, and counts them in `rows`. Returns how many rows of all of them
/// are left out.
fn add_groups(some: &SomeRows, values: &[f32], groups: Range<usize>, mut sums: SomeSums, rows: &mut [u64]) -> u64 {
    let (width, mut left_out, mut numbers, mut tiles) = (some.width(), 0, Vec::new(), Tiles::default());
    let each = triangle(width + 1);
    for (at, (group, seen)) in groups.zip(rows).enumerate() {
        for picture in 0..some.pictures() {
            for first in (0..some.count()).step_by(ROWS) {
                let places = first..some.count().min(first + ROWS);
                let count = places.len();
                numbers.clear();
                // The last column keeps its ones.
                numbers.resize(count * (width + 1), 1.0);
                for (column, into) in numbers.chunks_exact_mut(count).enumerate().take(width) {
                    some.column(values, (picture, group, column), places.clone(), into);
                }
                let bad = if numbers.iter().all(|number| number.is_finite()) { 0 } else { clear(&mut numbers, count) };
                Columns { numbers: &numbers, rows: count }.add_to(sums.part(at * each..(at + 1) * each), &mut tiles);
                left_out += bad;
                *seen += count as u64 - bad;
            }
        }
    }
    left_out
}

/// Fills rows with a NaN or an infinity with zeros, which add nothing, and returns how many there are. `numbers` stand
/// column by column, each of so many rows.
fn clear(numbers: &mut [f32], rows: usize) -> u64 {
    let mut count = 0;
    for row in 0..rows {
        if numbers.iter().skip(row).step_by(rows).any(|number| !number.is_finite()) {
            numbers.iter_mut().skip(row).step_by(rows).for_each(|number| *number = 0.0);
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_products_by_hand() {
        // Not more rows than columns.
        let (count, width) = (135, 165);
        let values: Vec<f32> = (0..count * width).map(|at| ((at * 31) % 17) as f32 - 8.0).collect();
        let mut made = SecondMoments::new(width, 1);
        made.observe(&Rows::LastAxis, &[1, count, width], &values);
        assert_eq!((made.rows(), made.width()), (&[count as u64][..], width));
        for a in 0..width {
            for b in 0..width {
                let by_hand: f64 = values.chunks(width).map(|row| f64::from(row[a]) * f64::from(row[b])).sum();
                assert_eq!(made.of(0, a, b), by_hand, "{a} {b}");
            }
            let mean = values.chunks(width).map(|row| f64::from(row[a])).sum::<f64>() / count as f64;
            assert_eq!(made.mean(0, a), mean);
        }
    }

    #[test]
    fn of_many_rows_some_are_looked_at() {
        let rows = Rows::Windows { kernel: [1, 1], strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        let values: Vec<f32> = (0..2 * 40 * 40).map(|at| (at % 7) as f32).collect();
        let mut made = SecondMoments::new(2, 1);
        made.observe(&rows, &[1, 2, 40, 40], &values);
        assert_eq!(made.rows(), [FEWEST as u64]);
        let variance = made.of(0, 1, 1) / FEWEST as f64 - made.mean(0, 1).powi(2);
        assert!((made.mean(0, 1) - 3.0).abs() < 0.3 && (variance - 4.0).abs() < 0.5, "{variance}");
    }

    #[test]
    fn groups_have_sums_of_their_own_and_rows_that_are_not_finite_none() {
        let rows = Rows::Windows { kernel: [1, 1], strides: [1, 1], pads: [0; 4], groups: 2, dilations: [1, 1] };
        // Two groups of two channels, three places; one place of the second group is infinite.
        let values = [1., 2., 3., 4., 5., 6., 1., 1., 1., 2., 2., f32::INFINITY];
        let mut made = SecondMoments::new(2, 2);
        made.observe(&rows, &[1, 4, 1, 3], &values);
        assert_eq!((made.of(0, 0, 0), made.of(0, 0, 1), made.of(0, 1, 1)), (14.0, 32.0, 77.0));
        assert_eq!((made.of(1, 0, 0), made.of(1, 1, 0), made.of(1, 1, 1)), (2.0, 4.0, 8.0));
        assert_eq!((made.rows(), made.non_finite), (&[3, 2][..], 1));
        assert!(!made.merge(&SecondMoments::new(3, 2)) && !made.merge(&SecondMoments::new(2, 1)));
        assert_eq!(SecondMoments::bytes(8192, 1), 570_634_257);
    }
}
