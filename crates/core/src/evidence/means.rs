//! Means of the rows that linear layers multiply: sums over rows, which add up over runs and shards.

use std::ops::Deref;
use std::panic::resume_unwind;

use super::Exact;
use super::sums::Sums;
use super::taps::Taps;
use crate::ir::ops::{Rows, WindowAxis};
use autoneural_base::machine::threads;

/// Numbers of a value from which on threads share its channels; below, starting them takes longer.
const SHARED: usize = 1 << 16;

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

    /// Adds the rows of a value of this shape, row-major. Those of one value are summed in double precision, in their
    /// order, before they are added to the exact sums.
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
        if !self.fits(rows, shape) {
            return;
        }
        let mut made = vec![0f64; width * self.groups()];
        let (mut seen, mut left_out) = (vec![0; self.groups()], 0);
        rows.visit(shape, values, &mut |group, row| {
            if row.iter().all(|value| value.is_finite()) {
                let sums = &mut made[group * width..][..width];
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
                seen[group] += 1;
            } else {
                left_out += 1;
            }
        });
        self.add(made);
        self.0.count(&seen, left_out);
    }

    /// The same for the windows of channels whose numbers are all finite.
    fn observe_planes(&mut self, [down, across]: &[WindowAxis; 2], values: &[f32]) {
        let (lines, columns) = (Taps::new(down), Taps::new(across));
        let plane = down.size * across.size;
        let planes = self.width() * self.groups() / (down.taps * across.taps);
        let nothing = vec![0f64; across.size];
        let of_planes = |some: &[f32]| -> Vec<f64> {
            let of_plane = |plane: &[f32]| {
                // For each line of the window, the sum of all lines of the plane that it sees.
                let seen = lines.sums(&nothing, |sum, line| {
                    let line = &plane[line * across.size..][..across.size];
                    sum.iter_mut().zip(line).for_each(|(sum, number)| *sum += f64::from(*number));
                });
                seen.into_iter().flat_map(|seen| columns.sums(&0.0, |sum, at| *sum += seen[at])).collect::<Vec<_>>()
            };
            some.chunks_exact(plane).flat_map(of_plane).collect()
        };
        let share = planes.div_ceil(if values.len() < SHARED { 1 } else { threads() }).max(1) * plane;
        for picture in values.chunks_exact((plane * planes).max(1)) {
            let sums = std::thread::scope(|scope| {
                let others = picture.chunks(share).skip(1).map(|some| scope.spawn(|| of_planes(some)));
                let others: Vec<_> = others.collect();
                let mut made = of_planes(&picture[..share.min(picture.len())]);
                others.into_iter().for_each(|other| match other.join() {
                    Ok(sums) => made.extend(sums),
                    Err(panic) => resume_unwind(panic),
                });
                made
            });
            self.add(sums);
            self.0.count(&vec![(down.places * across.places) as u64; self.groups()], 0);
        }
    }

    fn add(&mut self, sums: impl IntoIterator<Item = f64>) {
        let own = self.0.sums_mut();
        sums.into_iter().enumerate().for_each(|(at, sum)| own.add(at, sum as f32));
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
            prop_assert_eq!(made.rows(), by_rows.rows());
            let allowed = 1e-6 * values.iter().map(|value| f64::from(value.abs())).sum::<f64>();
            for (group, column) in (0..groups).flat_map(|group| (0..width).map(move |column| (group, column))) {
                let (made, by_rows) = (made.of(group, column), by_rows.of(group, column));
                prop_assert!((made - by_rows).abs() <= allowed, "{made} {by_rows}");
            }
        }
    }
}
