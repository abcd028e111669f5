//! Peaks: the largest magnitude that each column of the rows of a value takes.

use crate::ir::ops::Rows;

/// The largest magnitude of each column of the rows of each group. Numbers that are not finite are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Peaks {
    width: usize,
    peaks: Vec<f32>,
}

impl Peaks {
    /// Nothing seen yet of rows of so many columns in so many groups.
    pub fn new(width: usize, groups: usize) -> Self {
        Peaks { width, peaks: vec![0.0; width * groups] }
    }

    /// These peaks, one group after the other; none where they are no whole number of groups, or below zero.
    pub fn of_peaks(width: usize, peaks: Vec<f32>) -> Option<Self> {
        let fits = width > 0 && peaks.len().is_multiple_of(width) && peaks.iter().all(|p| p.is_finite() && *p >= 0.0);
        fits.then_some(Peaks { width, peaks })
    }

    /// Columns of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The peaks of all columns, one group after the other; 0 where nothing was seen.
    pub fn peaks(&self) -> &[f32] {
        &self.peaks
    }

    /// Takes in the rows of a value.
    pub fn observe(&mut self, rows: &Rows, shape: &[usize], values: &[f32]) {
        if rows.width(shape) != Some(self.width) || rows.groups() * self.width != self.peaks.len() {
            return;
        }
        rows.visit(shape, values, &mut |group, row| {
            for (peak, value) in self.peaks[group * self.width..].iter_mut().zip(row) {
                *peak = peak.max(if value.is_finite() { value.abs() } else { 0.0 });
            }
        });
    }

    /// Peaks of both together. Whether they are of the same rows; if not, nothing changes.
    pub fn merge(&mut self, other: &Peaks) -> bool {
        let fits = self.width == other.width && self.peaks.len() == other.peaks.len();
        if fits {
            self.peaks.iter_mut().zip(&other.peaks).for_each(|(own, other)| *own = own.max(*other));
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_the_largest_magnitude_of_its_numbers() {
        let mut made = Peaks::new(2, 1);
        made.observe(&Rows::LastAxis, &[1, 2, 2], &[1.0, -7.0, -3.0, f32::INFINITY]);
        made.observe(&Rows::LastAxis, &[1, 1, 3], &[9.0; 3]);
        assert_eq!(made.peaks(), [3.0, 7.0]);
        // Channels of a picture: each place is a row.
        let channels = Rows::Windows { kernel: [1, 1], strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        let mut other = Peaks::new(2, 1);
        other.observe(&channels, &[1, 2, 1, 2], &[1.0, 5.0, -2.0, f32::NAN]);
        assert_eq!(other.peaks(), [5.0, 2.0]);
        assert!(made.merge(&other) && !made.merge(&Peaks::new(3, 1)));
        assert_eq!(made.peaks(), [5.0, 7.0]);
        assert!(Peaks::of_peaks(2, vec![1.0; 3]).is_none() && Peaks::of_peaks(1, vec![-1.0]).is_none());
    }
}
