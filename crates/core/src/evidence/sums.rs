//! Sums over the rows that linear layers multiply, which add up over runs and shards: what means and second moments have
//! in common.

use crate::ir::ops::Rows;

/// Sums over the rows of each group. A row with a number that is not finite is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// Columns of a row.
    width: usize,
    /// As many for each group, one group after the other.
    sums: Vec<f64>,
    /// Rows of each group that are in the sums.
    rows: Vec<u64>,
    /// Rows that were left out, of all groups.
    pub non_finite: u64,
}

impl Sums {
    /// Nothing seen yet of rows of so many columns, with `each` sums for each of so many groups.
    pub(super) fn new(width: usize, each: usize, groups: usize) -> Self {
        Sums { width, sums: vec![0.0; groups * each], rows: vec![0; groups], non_finite: 0 }
    }

    /// These sums of so many rows of each group; none where there are not `each` for a group.
    pub(super) fn of(width: usize, each: usize, sums: Vec<f64>, rows: Vec<u64>, non_finite: u64) -> Option<Self> {
        let fits = sums.len() == rows.len().checked_mul(each)?;
        fits.then_some(Sums { width, sums, rows, non_finite })
    }

    /// Columns of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.rows.len()
    }

    /// Rows of each group that are in the sums.
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// All sums, one group after the other.
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// The sums, for what is still to be added to them.
    pub(super) fn sums_mut(&mut self) -> &mut [f64] {
        &mut self.sums
    }

    /// Takes in the rows of a value: `take` gets all sums, the group and the row.
    pub(super) fn observe(
        &mut self,
        rows: &Rows,
        shape: &[usize],
        values: &[f32],
        mut take: impl FnMut(&mut [f64], usize, &[f32]),
    ) {
        if rows.width(shape) != Some(self.width) || rows.groups() != self.groups() {
            return;
        }
        rows.visit(shape, values, &mut |group, row| {
            if row.iter().all(|value| value.is_finite()) {
                take(&mut self.sums, group, row);
                self.rows[group] += 1;
            } else {
                self.non_finite += 1;
            }
        });
    }

    /// Sums of both together. Whether they are of the same rows; if not, nothing changes.
    pub(super) fn merge(&mut self, other: &Sums) -> bool {
        if self.width != other.width || self.rows.len() != other.rows.len() {
            return false;
        }
        self.sums.iter_mut().zip(&other.sums).for_each(|(own, other)| *own += other);
        self.rows.iter_mut().zip(&other.rows).for_each(|(own, other)| *own = own.saturating_add(*other));
        self.non_finite = self.non_finite.saturating_add(other.non_finite);
        true
    }
}
