//! Products of every two columns of some rows.

use std::ops::Range;

use super::exact::SomeSums;
use autoneural_base::machine::threads;

/// Rows that are summed in single precision before they are added to exact sums.
const BATCH: usize = 128;
/// Columns whose products with another column are computed at once: those of a batch stay in the nearest cache.
const TILE: usize = 32;
/// Columns from which on threads share the products; below, starting them takes longer.
const SHARED: usize = 256;
/// Sums that a product of two columns is spread over: row `r` counts to sum `r % LANES`, and the sums are added in order.
const LANES: usize = 16;

/// Numbers in the rows of a lower triangle before this one.
pub(super) fn triangle(row: usize) -> usize {
    row * (row + 1) / 2
}

/// Some rows, column by column.
pub(super) struct Columns<'a> {
    /// Numbers of each column, one column after the other.
    pub numbers: &'a [f32],
    /// How many each column has.
    pub rows: usize,
}

impl Columns<'_> {
    fn count(&self) -> usize {
        self.numbers.len().checked_div(self.rows).unwrap_or(0)
    }

    fn column(&self, at: usize, batch: &Range<usize>) -> &[f32] {
        &self.numbers[at * self.rows..][batch.clone()]
    }

    fn batches(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.rows).step_by(BATCH).map(|first| first..self.rows.min(first + BATCH))
    }

    /// Adds the products of every two columns to sums, which are the lower triangle of their matrix, row by row.
    /// `tiles` are left for the next time.
    pub(super) fn add_to(&self, mut sums: SomeSums, tiles: &mut Tiles) {
        let count = self.count();
        let threads = match count < SHARED {
            true => 1,
            false => threads(),
        };
        if threads == 1 {
            return self.add_rows(0..count, &mut sums, tiles);
        }
        std::thread::scope(|scope| {
            let (mut first, mut left) = (0, sums);
            for thread in 1..=threads {
                // Row `r` of the triangle has `r + 1` products: shares of the same size end at square roots.
                let last = (count as f64 * (thread as f64 / threads as f64).sqrt()) as usize;
                let last = if thread == threads { count } else { last };
                let (mut own, others) = left.split_at(triangle(last) - triangle(first));
                left = others;
                let rows = first..last;
                match thread == threads {
                    true => self.add_rows(rows, &mut own, tiles),
                    false => drop(scope.spawn(move || self.add_rows(rows, &mut own, &mut Tiles::default()))),
                }
                first = last;
            }
        });
    }

    /// Adds the products of some columns with those up to them to their sums.
    fn add_rows(&self, rows: Range<usize>, sums: &mut SomeSums, Tiles(tiles): &mut Tiles) {
        let batches: Vec<Range<usize>> = self.batches().collect();
        if tiles.len() < batches.len() {
            tiles.resize(batches.len(), [[0.0; TILE]; BATCH]);
        }
        for first in (0..rows.end).step_by(TILE) {
            let last = rows.end.min(first + TILE);
            for (batch, tile) in batches.iter().zip(&mut *tiles) {
                for low in first..last {
                    tile.iter_mut().zip(self.column(low, batch)).for_each(|(row, value)| row[low - first] = *value);
                }
            }
            for high in rows.start.max(first)..rows.end {
                let (to, count) = (triangle(high) - triangle(rows.start) + first, last.min(high + 1) - first);
                // All batches one after the other, while these sums are in the cache.
                for (batch, tile) in batches.iter().zip(&*tiles) {
                    add_products(self.column(high, batch), tile, count, sums, to);
                }
            }
        }
    }
}

/// Columns of some batches, row by row. What an earlier use left in them is in no sum.
#[derive(Default)]
pub(super) struct Tiles(Vec<[[f32; TILE]; BATCH]>);

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Exact;

    /// Numbers between -1 and 1 that look random.
    fn numbers() -> impl Iterator<Item = f32> {
        let mut seed = 1u32;
        std::iter::repeat_with(move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
    }

    fn by_lanes(a: &[f32], b: &[f32]) -> f32 {
        let mut lanes = [0f32; LANES];
        a.iter().zip(b).enumerate().for_each(|(row, (a, b))| lanes[row % LANES] += a * b);
        lanes.iter().sum()
    }

    #[test]
    fn every_product_is_that_of_its_lanes_however_many_columns_there_are() {
        let mut tiles = Tiles::default();
        for (count, rows) in [(1, 3), (TILE, 2 * BATCH + 5), (TILE + 5, BATCH + 7), (SHARED + 3, 20)] {
            let all: Vec<f32> = numbers().take(count * rows).collect();
            let columns = Columns { numbers: &all, rows };
            let (mut made, mut by_hand) = (Exact::new(triangle(count)), Exact::new(triangle(count)));
            columns.add_to(made.of(0..triangle(count)), &mut tiles);
            for (high, a) in all.chunks(rows).enumerate() {
                for (low, b) in all.chunks(rows).enumerate().take(high + 1) {
                    let batches = a.chunks(BATCH).zip(b.chunks(BATCH));
                    batches.for_each(|(a, b)| by_hand.add(triangle(high) + low, by_lanes(a, b)));
                }
            }
            assert_eq!(made, by_hand, "{count} {rows}");
        }
    }

    #[test]
    fn products_are_rounded_as_sums_of_lanes_whatever_the_registers_are() {
        let mut next = numbers();
        let mut tile = [[0.0; TILE]; BATCH];
        tile.iter_mut().flatten().zip(&mut next).for_each(|(value, number)| *value = number);
        for rows in [1, LANES - 1, LANES + 1, 100, BATCH] {
            let column: Vec<f32> = next.by_ref().take(rows).collect();
            // Twice, the second time to other sums than zeros; not all of the tile.
            let (mut made, mut by_hand, count) = (Exact::new(TILE + 3), Exact::new(TILE + 3), TILE - 2);
            for (column, factor) in [(&column, 1.0), (&column.iter().map(|value| value * 1e12).collect(), 1e12)] {
                add_products(column, &tile, count, &mut made.of(1..TILE + 3), 1);
                for at in 0..count {
                    let other: Vec<f32> = tile.iter().map(|row| row[at]).collect();
                    by_hand.add(2 + at, by_lanes(column, &other));
                }
                assert_eq!(made, by_hand, "{rows} {factor}");
            }
        }
    }
}
