//! Some rows of a value, unchanged. (They are not the samples of a recipe, which are inputs of a model.) Which rows are
//! kept depends on their contents and not on when they came, so that several shards together keep what one run over all
//! would have kept.

use std::collections::BTreeMap;

use crate::ir::ops::Rows;

/// The rows whose contents have the smallest hashes; equal rows are kept once.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    most: usize,
    /// The rows as keys: the hash of their contents and the bits of their numbers.
    rows: BTreeMap<(u64, Vec<u32>), ()>,
    /// How many rows were seen.
    pub seen: u64,
}

impl Samples {
    /// Keeps at most `most` rows; nothing is seen yet.
    pub fn new(most: usize) -> Self {
        Samples { most, rows: BTreeMap::new(), seen: 0 }
    }

    /// Samples that keep at most `most` of these rows, of `seen` that were seen.
    pub fn of_rows(most: usize, rows: impl Iterator<Item = Vec<f32>>, seen: u64) -> Self {
        let mut made = Samples::new(most);
        rows.for_each(|row| made.take(&row));
        made.seen = seen;
        made
    }

    /// The largest number of rows that is kept.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The rows that were kept, in the order of their hashes.
    pub fn rows(&self) -> impl Iterator<Item = Vec<f32>> {
        self.rows.keys().map(|(_, bits)| bits.iter().copied().map(f32::from_bits).collect())
    }

    /// Adds the rows of a value of this shape, row-major.
    pub fn observe(&mut self, rows: &Rows, shape: &[usize], values: &[f32]) {
        rows.visit(shape, values, &mut |_, row| self.take(row));
    }

    /// Adds what another one keeps. Returns whether both keep the same number of rows; if not, nothing changes.
    pub fn merge(&mut self, other: &Samples) -> bool {
        if self.most != other.most {
            return false;
        }
        self.rows.extend(other.rows.iter().map(|(row, ())| (row.clone(), ())));
        self.seen = self.seen.saturating_add(other.seen);
        self.shorten();
        true
    }

    fn take(&mut self, row: &[f32]) {
        self.seen += 1;
        let hash = hash(row);
        if self.rows.len() >= self.most && self.rows.last_key_value().is_some_and(|((last, _), ())| hash > *last) {
            return;
        }
        self.rows.insert((hash, row.iter().map(|value| value.to_bits()).collect()), ());
        self.shorten();
    }

    fn shorten(&mut self) {
        while self.rows.len() > self.most {
            self.rows.pop_last();
        }
    }
}

/// FNV-1a (Fowler, Noll, Vo; 64 bits) over the bits of each number, mixed once more with the finalizer of MurmurHash3,
/// so that its highest bits depend on all numbers.
fn hash(row: &[f32]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325u64;
    let mut hash =
        row.iter().fold(start, |hash, value| (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0000_0100_0000_01b3));
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_what_they_hold() {
        let values: Vec<f32> = (0..200).map(|at| at as f32).collect();
        let mut all = Samples::new(5);
        all.observe(&Rows::LastAxis, &[100, 2], &values);
        let mut backwards = Samples::new(5);
        values.chunks(2).rev().for_each(|row| backwards.observe(&Rows::LastAxis, &[2], row));
        assert_eq!(all, backwards);
        assert_eq!((all.rows().count(), all.seen), (5, 100));
        let kept: Vec<Vec<f32>> = all.rows().collect();
        assert!(kept.iter().all(|row| row[1] == row[0] + 1.0));
        // Not the first ones, nor the last.
        assert!(kept.iter().any(|row| row[0] > 20.0) && kept.iter().any(|row| row[0] < 180.0));
        assert_eq!(Samples::of_rows(5, kept.into_iter(), 100), all);
    }
}
