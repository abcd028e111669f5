//! Second moments and means of the rows that linear layers multiply: sums over rows, which add up over runs and shards.

use std::ops::{Deref, Range};

use ndarray::Array2;

use super::Exact;
use super::exact::{Digits, SomeSums};
use super::sums::Sums;
use super::taps::Taps;
use crate::ir::ops::{Rows, WindowAxis};

/// Rows that are summed in single precision before they are added to the exact sums.
const BATCH: usize = 128;
/// Columns whose products with another column are computed at once: those of a batch stay in the nearest cache.
const TILE: usize = 32;
/// Batches that are added at once, since the sums of wide rows leave the cache in between.
const BATCHES: usize = 4;
/// Columns from which on threads share the products; below, starting them takes longer.
const SHARED: usize = 512;
/// Sums that a product of two columns is spread over: row `r` counts to sum `r % LANES`, and the sums are added in order.
const LANES: usize = 16;

/// Sums of the products of every two columns, `X^T X`, over the rows of each channel group. For each group they are the
/// lower triangle of the matrix, row by row: `width * (width + 1) / 2` numbers. A row with a NaN or an infinity is left
/// out.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondMoments(Sums);

impl SecondMoments {
    /// Of rows with `width` columns, in so many channel groups; nothing is seen yet.
    pub fn new(width: usize, groups: usize) -> Self {
        SecondMoments(Sums::new(width, triangle(width), groups))
    }

    /// Second moments with these sums, over `rows` rows of each group; `None` if the number of sums does not fit the
    /// columns and groups.
    pub fn of_sums(width: usize, sums: Exact, rows: Vec<u64>, non_finite: u64) -> Option<Self> {
        let each = width.checked_mul(width.checked_add(1)?)? / 2;
        Sums::of(width, each, sums, rows, non_finite).map(SecondMoments)
    }

    /// Bytes that the sums take: 570 MB for one group of 8192 columns.
    pub fn bytes(width: usize, groups: usize) -> u64 {
        let size = width as u64;
        (groups as u64).saturating_mul(size.saturating_mul(size + 1) / 2).saturating_mul(Exact::BYTES)
    }

    /// Sum of the products of columns `a` and `b` of a group.
    pub fn of(&self, group: usize, a: usize, b: usize) -> f64 {
        let (high, low) = (a.max(b), a.min(b));
        self.sums().get(group * triangle(self.width()) + triangle(high) + low)
    }

    /// Means of the products of every two columns over the rows of a group, as a whole matrix.
    pub fn mean_products(&self, group: usize) -> Array2<f32> {
        let (width, rows) = (self.width(), self.rows()[group].max(1) as f64);
        Array2::from_shape_fn((width, width), |(a, b)| (self.of(group, a, b) / rows) as f32)
    }

    /// Adds the rows of a value of this shape, row-major.
    pub fn observe(&mut self, rows: &Rows, shape: &[usize], values: &[f32]) {
        let mut batches = Batches { width: self.width(), group: 0, batches: vec![] };
        self.0.observe(rows, shape, values, |sums, group, row| {
            if batches.group != group || batches.are_full() {
                batches.add_to(sums);
                batches.group = group;
            }
            batches.take(row);
        });
        batches.add_to(self.0.sums_mut());
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

/// Numbers in the rows of a lower triangle before this one.
fn triangle(row: usize) -> usize {
    row * (row + 1) / 2
}

/// Rows of a channel group that wait to be added.
struct Batches {
    width: usize,
    group: usize,
    batches: Vec<Batch>,
}

/// Up to [`BATCH`] rows, stored column by column.
struct Batch {
    /// `BATCH` numbers for each column.
    columns: Vec<f32>,
    /// How many of them are there.
    filled: usize,
}

impl Batches {
    fn are_full(&self) -> bool {
        self.batches.len() == BATCHES && self.needs_batch()
    }

    /// Whether there is no room for a row: only the last batch may have some.
    fn needs_batch(&self) -> bool {
        self.batches.last().is_none_or(|last| last.filled == BATCH)
    }

    fn take(&mut self, row: &[f32]) {
        if self.needs_batch() {
            self.batches.push(Batch { columns: vec![0.0; self.width * BATCH], filled: 0 });
        }
        let Some(last) = self.batches.last_mut() else { return };
        for (column, value) in last.columns.chunks_exact_mut(BATCH).zip(row) {
            column[last.filled] = *value;
        }
        last.filled += 1;
    }

    /// Adds the products of every two columns to the sums of the group, and drops the rows.
    fn add_to(&mut self, sums: &mut Exact) {
        let start = self.group * triangle(self.width);
        let mut left = sums.of(start..start + triangle(self.width));
        let threads = match self.width < SHARED {
            true => 1,
            false => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let all = &*self;
        std::thread::scope(|scope| {
            let mut first = 0;
            for thread in 1..=threads {
                // Row `r` of the triangle has `r + 1` products: shares of the same size end at square roots.
                let last = (all.width as f64 * (thread as f64 / threads as f64).sqrt()) as usize;
                let last = if thread == threads { all.width } else { last };
                let (mut own, others) = left.split_at(triangle(last) - triangle(first));
                left = others;
                let rows = first..last;
                match thread == threads {
                    true => all.add_rows(rows, &mut own),
                    false => drop(scope.spawn(move || all.add_rows(rows, &mut own))),
                }
                first = last;
            }
        });
        self.batches.clear();
    }

    /// Adds the products of some columns with those up to them to their sums.
    fn add_rows(&self, rows: Range<usize>, sums: &mut SomeSums) {
        let mut tiles = vec![[[0.0; TILE]; BATCH]; self.batches.len()];
        for first in (0..rows.end).step_by(TILE) {
            let last = rows.end.min(first + TILE);
            for (batch, tile) in self.batches.iter().zip(&mut tiles) {
                for low in first..last {
                    tile.iter_mut().zip(batch.column(low)).for_each(|(row, value)| row[low - first] = *value);
                }
            }
            for high in rows.start.max(first)..rows.end {
                let (to, count) = (triangle(high) - triangle(rows.start) + first, last.min(high + 1) - first);
                // All batches one after the other, while these sums are in the cache.
                for (batch, tile) in self.batches.iter().zip(&tiles) {
                    add_products(batch.column(high), tile, count, sums, to);
                }
            }
        }
    }
}

impl Batch {
    fn column(&self, at: usize) -> &[f32] {
        &self.columns[at * BATCH..][..self.filled]
    }
}

/// Adds the products of a column with the first `count` of a tile, which holds them row by row, to sums that begin at
/// `to`. Wider registers give the same numbers: each product is rounded before it is added.
fn add_products(column: &[f32], tile: &[[f32; TILE]; BATCH], count: usize, sums: &mut SomeSums, to: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has these instructions.
            return unsafe { add_in_512_bits(column, tile, count, sums, to) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { add_in_256_bits(column, tile, count, sums, to) };
        }
    }
    add(column, tile, count, sums, to);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn add_in_512_bits(column: &[f32], tile: &[[f32; TILE]; BATCH], count: usize, sums: &mut SomeSums, to: usize) {
    add(column, tile, count, sums, to);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_in_256_bits(column: &[f32], tile: &[[f32; TILE]; BATCH], count: usize, sums: &mut SomeSums, to: usize) {
    add(column, tile, count, sums, to);
}

#[inline(always)]
fn add(column: &[f32], tile: &[[f32; TILE]; BATCH], count: usize, sums: &mut SomeSums, to: usize) {
    sums.add_all(to, &products_of(column, tile)[..count]);
}

#[inline(always)]
fn products_of(column: &[f32], tile: &[[f32; TILE]; BATCH]) -> [f32; TILE] {
    let mut made = [0.0; TILE];
    for lane in 0..LANES.min(column.len()) {
        let mut sums = [0f32; TILE];
        for (value, row) in column[lane..].iter().step_by(LANES).zip(tile[lane..].iter().step_by(LANES)) {
            for at in 0..TILE {
                sums[at] += value * row[at];
            }
        }
        for at in 0..TILE {
            made[at] += sums[at];
        }
    }
    made
}

/// Sums of each column over the rows of each channel group. A row with a NaN or an infinity is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Means(Sums);

impl Means {
    /// Of rows with `width` columns, in so many channel groups; nothing is seen yet.
    pub fn new(width: usize, groups: usize) -> Self {
        Means(Sums::new(width, width, groups))
    }

    /// Means with these sums, over `rows` rows of each group; `None` if the number of sums does not fit the columns and
    /// groups.
    pub fn of_sums(width: usize, sums: Exact, rows: Vec<u64>, non_finite: u64) -> Option<Self> {
        Sums::of(width, width, sums, rows, non_finite).map(Means)
    }

    /// Mean of a column of a group; 0 if no row was seen.
    pub fn of(&self, group: usize, column: usize) -> f64 {
        self.sums().get(group * self.width() + column) / self.rows()[group].max(1) as f64
    }

    /// Adds the rows of a value of this shape, row-major.
    pub fn observe(&mut self, rows: &Rows, shape: &[usize], values: &[f32]) {
        let is_finite = values.iter().all(|value| value.is_finite());
        match rows.axes(shape).filter(|_| is_finite && self.width() > 0 && self.fits(rows, shape)) {
            Some(axes) => self.observe_planes(&axes, values),
            None => self.observe_rows(rows, shape, values),
        }
    }

    /// Adds row by row.
    fn observe_rows(&mut self, rows: &Rows, shape: &[usize], values: &[f32]) {
        let width = self.width();
        self.0.observe(rows, shape, values, |sums, group, row| {
            row.iter().enumerate().for_each(|(column, value)| sums.add(group * width + column, *value));
        });
    }

    /// The same for the windows of channels whose numbers are all finite. The sums are exact, so they are the same to
    /// the last bit.
    fn observe_planes(&mut self, [down, across]: &[WindowAxis; 2], values: &[f32]) {
        let (lines, columns) = (Taps::new(down), Taps::new(across));
        let plane = down.size * across.size;
        let planes = self.width() * self.groups() / (down.taps * across.taps);
        for picture in values.chunks_exact((plane * planes).max(1)) {
            let sums = picture.chunks_exact(plane).flat_map(|plane| {
                // For each line of the plane, what each column of the window sees of it.
                let mut seen: Vec<Vec<Digits>> = vec![Vec::with_capacity(down.size); across.taps];
                for line in plane.chunks_exact(across.size) {
                    let line: Vec<Digits> = line.iter().map(|value| Digits::of(*value)).collect();
                    columns.sums(&line).into_iter().zip(&mut seen).for_each(|(sum, seen)| seen.push(sum));
                }
                let made: Vec<Vec<Digits>> = seen.iter().map(|lines_of| lines.sums(lines_of)).collect();
                (0..down.taps).flat_map(move |y| made.iter().map(move |column| column[y]).collect::<Vec<_>>())
            });
            self.0.add((down.places * across.places) as u64, sums);
        }
    }

    /// Adds the sums of another one. Returns whether both have the same columns and groups; if not, nothing changes.
    pub fn merge(&mut self, other: &Means) -> bool {
        self.0.merge(&other.0)
    }
}

impl Deref for Means {
    type Target = Sums;

    fn deref(&self) -> &Sums {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn means_of_windows_are_those_of_their_rows(
            sides in prop::array::uniform2(1usize..9),
            kernel in prop::array::uniform2(1usize..5),
            strides in prop::array::uniform2(1usize..4),
            dilations in prop::array::uniform2(1usize..3),
            pads in prop::array::uniform4(0usize..4),
            (groups, each) in (1usize..3, 1usize..3),
            numbers in prop::collection::vec(prop_oneof![-4f32..4.0, Just(0.0), -1e-9f32..1e-9, -1e30f32..1e30], 50),
        ) {
            let rows = Rows::Windows { kernel, strides, pads, groups, dilations };
            let shape = [2, groups * each, sides[0], sides[1]];
            let count = shape.iter().product();
            let values: Vec<f32> = numbers.into_iter().cycle().take(count).collect();
            let width = each * kernel[0] * kernel[1];
            let (mut made, mut by_rows) = (Means::new(width, groups), Means::new(width, groups));
            made.observe(&rows, &shape, &values);
            by_rows.observe_rows(&rows, &shape, &values);
            prop_assert_eq!(made, by_rows);
        }
    }

    #[test]
    fn sums_are_those_of_the_products_by_hand() {
        // More rows than a batch, more columns than a tile.
        let (count, width) = (BATCH + 7, TILE + 5);
        let values: Vec<f32> = (0..count * width).map(|at| ((at * 31) % 17) as f32 - 8.0).collect();
        let mut made = SecondMoments::new(width, 1);
        made.observe(&Rows::LastAxis, &[1, count, width], &values);
        let mut means = Means::new(width, 1);
        means.observe(&Rows::LastAxis, &[1, count, width], &values);
        assert_eq!((made.rows(), made.width()), (&[count as u64][..], width));
        for a in 0..width {
            for b in 0..width {
                let by_hand: f64 = values.chunks(width).map(|row| f64::from(row[a]) * f64::from(row[b])).sum();
                assert_eq!(made.of(0, a, b), by_hand, "{a} {b}");
            }
            let mean = values.chunks(width).map(|row| f64::from(row[a])).sum::<f64>() / count as f64;
            assert_eq!(means.of(0, a), mean);
        }
    }

    #[test]
    fn products_are_rounded_as_sums_of_lanes_whatever_the_registers_are() {
        let mut seed = 1u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut tile = [[0.0; TILE]; BATCH];
        tile.iter_mut().flatten().for_each(|value| *value = next());
        for rows in [1, LANES - 1, LANES + 1, 100, BATCH] {
            let column: Vec<f32> = (0..rows).map(|_| next()).collect();
            // Twice, the second time to other sums than zeros; not all of the tile.
            let (mut made, mut by_hand, count) = (Exact::new(TILE + 3), Exact::new(TILE + 3), TILE - 2);
            for (column, factor) in [(&column, 1.0), (&column.iter().map(|value| value * 1e12).collect(), 1e12)] {
                add_products(column, &tile, count, &mut made.of(1..TILE + 3), 1);
                let products = (0..count).map(|at| {
                    let mut lanes = [0f32; LANES];
                    (0..rows).for_each(|row| lanes[row % LANES] += column[row] * tile[row][at]);
                    lanes.iter().sum()
                });
                products.enumerate().for_each(|(at, product)| by_hand.add(2 + at, product));
                assert_eq!(made, by_hand, "{rows} {factor}");
            }
        }
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
        assert_eq!(SecondMoments::bytes(8192, 1), 570_494_976);
    }
}
