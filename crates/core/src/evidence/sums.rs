//! Sums over the rows that linear layers multiply, which add up over runs and shards, in any order exactly. Means and
//! second moments are both made of them.

use super::Exact;
use crate::ir::ops::Rows;

/// Sums over the rows of each channel group. A row with a NaN or an infinity is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// Columns of a row.
    width: usize,
    /// The sums, one group after the other; each group has the same number.
    sums: Exact,
    /// Number of rows in the sums, for each group.
    rows: Vec<u64>,
    /// Number of rows of all groups that were left out.
    pub non_finite: u64,
}

impl Sums {
    /// Of rows with `width` columns, with `each` sums for each channel group; nothing is seen yet.
    pub(super) fn new(width: usize, each: usize, groups: usize) -> Self {
        Sums { width, sums: Exact::new(groups * each), rows: vec![0; groups], non_finite: 0 }
    }

    /// These sums over `rows` rows of each group; `None` if there are not `each` sums for each group.
    pub(super) fn of(width: usize, each: usize, sums: Exact, rows: Vec<u64>, non_finite: u64) -> Option<Self> {
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

    /// Number of rows in the sums, for each group.
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// All sums, one group after the other.
    pub fn sums(&self) -> &Exact {
        &self.sums
    }

    /// All sums, to add to.
    pub(super) fn sums_mut(&mut self) -> &mut Exact {
        &mut self.sums
    }

    /// Adds rows that were summed: how many of each group there are, and how many were left out.
    pub(super) fn count(&mut self, rows: &[u64], non_finite: u64) {
        self.rows.iter_mut().zip(rows).for_each(|(own, more)| *own = own.saturating_add(*more));
        self.non_finite = self.non_finite.saturating_add(non_finite);
    }

    /// Whether a value of this shape has such rows.
    pub(super) fn fits(&self, rows: &Rows, shape: &[usize]) -> bool {
        rows.width(shape) == Some(self.width) && rows.groups() == self.groups()
    }

    /// Adds the sums of another one. Returns whether both have the same columns and groups; if not, nothing changes.
    pub(super) fn merge(&mut self, other: &Sums) -> bool {
        if (self.width, self.rows.len(), self.sums.len()) != (other.width, other.rows.len(), other.sums.len()) {
            return false;
        }
        self.sums.merge(&other.sums);
        self.rows.iter_mut().zip(&other.rows).for_each(|(own, other)| *own = own.saturating_add(*other));
        self.non_finite = self.non_finite.saturating_add(other.non_finite);
        true
    }
}
