//! Some of the rows of a value, column by column.

use std::ops::Range;

use super::{Rows, WindowAxis};

/// The golden section.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Some of the rows of a value: always the same for a shape, whatever the numbers are.
pub struct SomeRows {
    width: usize,
    groups: usize,
    pictures: usize,
    /// The windows along height and width, where rows are such.
    axes: Option<[WindowAxis; 2]>,
    /// Of each picture, or of the whole value where rows are no windows: line and column of a window, or zero and the
    /// number of the row.
    places: Vec<[usize; 2]>,
}

impl SomeRows {
    /// At most so many rows of each group and picture, or of the whole value where rows are no windows. `None` where
    /// such a value has no such rows.
    pub fn new(rows: &Rows, shape: &[usize], most: usize) -> Option<Self> {
        let width = rows.width(shape).filter(|width| *width > 0)?;
        let axes = rows.axes(shape);
        let (count, pictures, across) = match (&axes, shape) {
            (Some([down, across]), [pictures, ..]) => (down.places * across.places, *pictures, across.places),
            _ => (shape.iter().product::<usize>() / width, 1, usize::MAX),
        };
        let places = some_of(count, most).map(|at| [at / across, at % across]).collect();
        Some(SomeRows { width, groups: rows.groups(), pictures, axes, places })
    }

    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of each group and picture.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Pictures; one where rows are no windows.
    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// Writes a column of some of the rows of a group and picture, of a row-major value of the shape, into as many
    /// numbers.
    pub fn column(
        &self,
        values: &[f32],
        (picture, group, column): (usize, usize, usize),
        some: Range<usize>,
        into: &mut [f32],
    ) {
        let places = &self.places[some];
        let Some([down, across]) = &self.axes else {
            let all = places.iter().zip(into);
            return all.for_each(|([_, row], number)| *number = values[row * self.width + column]);
        };
        let taps = down.taps * across.taps;
        let channels = self.width / taps;
        let plane = down.size * across.size;
        let channel = (picture * self.groups + group) * channels + column / taps;
        let plane = &values[channel * plane..][..plane];
        let (tap_y, tap_x) = (column % taps / across.taps, column % across.taps);
        for (place, number) in places.iter().zip(into) {
            *number = match (down.at(place[0], tap_y), across.at(place[1], tap_x)) {
                (Some(line), Some(column)) => plane[line * across.size + column],
                _ => 0.0,
            };
        }
    }
}

/// At most `most` of the numbers below `count`. If that is not all of them, they are the first of a walk in steps of the
/// golden section, whose points lie evenly however many are taken (H. Weyl, Mathematische Annalen 77, 1916).
fn some_of(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let step = if count <= most { 1 } else { coprime_from((count as f64 * GOLDEN) as usize, count) };
    (0..count.min(most)).scan(0, move |next, _| {
        let at = *next;
        *next = (at + step) % count;
        Some(at)
    })
}

/// The first number from `start` on that has no divisor in common with `count`: a walk in such steps comes to every
/// number below `count` before it comes to one again.
fn coprime_from(start: usize, count: usize) -> usize {
    let divisor = |mut a: usize, mut b: usize| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (start.max(1)..).find(|step| divisor(*step, count) == 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every row of a value as [`Rows::visit`] shows it is there, column by column.
    #[test]
    fn columns_are_those_of_the_rows() {
        let windows =
            Rows::Windows { kernel: [3, 2], strides: [2, 1], pads: [1, 1, 0, 1], groups: 2, dilations: [1, 2] };
        for (rows, shape) in [(Rows::LastAxis, vec![2, 5, 6]), (windows, vec![2, 4, 4, 5])] {
            let values: Vec<f32> = (0..shape.iter().product()).map(|at| at as f32 + 1.0).collect();
            let some = SomeRows::new(&rows, &shape, usize::MAX).unwrap();
            let mut visited = Vec::new();
            rows.visit(&shape, &values, &mut |group, row| visited.push((group, row.to_vec())));
            let mut made = Vec::new();
            for group in 0..rows.groups() {
                for picture in 0..some.pictures() {
                    let mut all = vec![vec![0.0; some.width()]; some.count()];
                    for column in 0..some.width() {
                        let mut numbers = vec![0.0; some.count() - 1];
                        some.column(&values, (picture, group, column), 1..some.count(), &mut numbers);
                        all[1..].iter_mut().zip(numbers).for_each(|(row, number)| row[column] = number);
                        let mut first = [0.0];
                        some.column(&values, (picture, group, column), 0..1, &mut first);
                        all[0][column] = first[0];
                    }
                    made.extend(all.into_iter().map(|row| (group, row)));
                }
            }
            assert_eq!(made, visited);
        }
        assert!(SomeRows::new(&Rows::LastAxis, &[], 3).is_none());
    }

    #[test]
    fn some_rows_are_different_ones_from_all_over_the_picture() {
        let windows = Rows::Windows { kernel: [1, 1], strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        let (side, most) = (112, 128);
        let some = SomeRows::new(&windows, &[1, 1, side, side], most).unwrap();
        let places: BTreeSet<[usize; 2]> = some.places.into_iter().collect();
        assert_eq!(places.len(), most);
        // Each of 16 parts of the picture has about its share.
        for part in 0..16 {
            let own = |place: &&[usize; 2]| place.map(|at| at * 4 / side) == [part / 4, part % 4];
            let count = places.iter().filter(own).count();
            assert!((4..=12).contains(&count), "{part}: {count}");
        }
    }

    #[test]
    fn all_are_taken_in_their_order_and_some_only_once() {
        assert!(some_of(7, 7).eq(0..7) && some_of(7, usize::MAX).eq(0..7) && some_of(0, 3).eq(0..0));
        for (count, most) in [(2, 1), (13, 8), (1024, 1000), (1000, 999)] {
            let made: BTreeSet<usize> = some_of(count, most).collect();
            assert!(made.len() == most && made.iter().all(|at| *at < count), "{count} {most}");
        }
    }
}
