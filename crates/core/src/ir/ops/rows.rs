//! Rows: what of its data an operator with weights adds up in one sum.

use serde::{Deserialize, Serialize};

use super::windows::{dense, is_dense};

/// How data is cut into the rows that an operator multiplies with its weights.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// The last axis: `[.., K]` has as many rows of `K` numbers as all other axes have indices.
    LastAxis,
    /// Windows of a convolution: `[N, C, H, W]` has, for each group of channels and each place of the window, a row of
    /// `C/groups * kH * kW` numbers in the order of the weight's last three axes. Outside the picture there are zeros.
    Windows {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// Step along height and width.
        strides: [usize; 2],
        /// Padding: top, left, bottom, right.
        pads: [usize; 4],
        /// Number of channel groups.
        groups: usize,
        /// Step between elements of the window along height and width.
        #[serde(default = "dense", skip_serializing_if = "is_dense")]
        dilations: [usize; 2],
    },
}

impl Rows {
    /// Groups of channels, each of which has rows of its own.
    pub fn groups(&self) -> usize {
        match self {
            Rows::LastAxis => 1,
            Rows::Windows { groups, .. } => *groups,
        }
    }

    /// Numbers of one row of a value of this shape; none where such a value has no such rows.
    pub fn width(&self, shape: &[usize]) -> Option<usize> {
        match (self, shape) {
            (Rows::LastAxis, [.., width]) => Some(*width),
            (Rows::Windows { kernel: [height, width], groups, .. }, [_, channels, ..]) if shape.len() == 4 => {
                let channels = channels.checked_div(*groups)?;
                channels.checked_mul(*height)?.checked_mul(*width)
            }
            _ => None,
        }
    }

    /// Shows every row of a value with its group, groups one after the other. A value of another kind of shape has
    /// none.
    pub fn visit(&self, shape: &[usize], values: &[f32], see: &mut dyn FnMut(usize, &[f32])) {
        let Some(width) = self.width(shape).filter(|width| *width > 0) else { return };
        match (self, shape) {
            (Rows::LastAxis, _) => values.chunks_exact(width).for_each(|row| see(0, row)),
            (Rows::Windows { groups, .. }, &[count, channels, height, width_in]) => {
                let Some(axes) = self.axes(shape) else { return };
                let mut row = vec![0f32; width];
                for group in 0..*groups {
                    for picture in values.chunks_exact(channels * height * width_in).take(count) {
                        let per_group = channels / groups;
                        let plane = height * width_in;
                        let own = &picture[group * per_group * plane..(group + 1) * per_group * plane];
                        Self::windows(own, &axes, &mut row, &mut |row| see(group, row));
                    }
                }
            }
            _ => {}
        }
    }

    /// The windows along height and width of a value of this shape; none where its rows are no windows.
    pub fn axes(&self, shape: &[usize]) -> Option<[WindowAxis; 2]> {
        let Rows::Windows { kernel, strides, pads, dilations, .. } = *self else { return None };
        let &[_, _, height, width] = shape else { return None };
        let axis =
            |at: usize, size| WindowAxis::new(size, [pads[at], pads[at + 2]], kernel[at], strides[at], dilations[at]);
        Some([axis(0, height), axis(1, width)])
    }

    /// Shows the windows of some channels `[C, H, W]`, each in `row`.
    fn windows(channels: &[f32], [down, across]: &[WindowAxis; 2], row: &mut [f32], see: &mut dyn FnMut(&[f32])) {
        for y in 0..down.places {
            for x in 0..across.places {
                let mut numbers = row.iter_mut();
                for plane in channels.chunks_exact(down.size * across.size) {
                    for tap_y in 0..down.taps {
                        let line = down.at(y, tap_y);
                        for (tap_x, number) in (0..across.taps).zip(numbers.by_ref()) {
                            let at = line.zip(across.at(x, tap_x));
                            *number = at.map_or(0.0, |(line, column)| plane[line * across.size + column]);
                        }
                    }
                }
                see(row);
            }
        }
    }
}

/// Windows along one axis of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowAxis {
    /// Elements of the picture.
    pub size: usize,
    /// Places of the window.
    pub places: usize,
    /// Elements of the window.
    pub taps: usize,
    /// Step from place to place.
    pub stride: usize,
    /// Elements of padding before the picture.
    before: usize,
    /// Step between elements of the window.
    dilation: usize,
}

impl WindowAxis {
    fn new(size: usize, [before, after]: [usize; 2], taps: usize, stride: usize, dilation: usize) -> Self {
        let (stride, dilation) = (stride.max(1), dilation.max(1));
        let window = taps.saturating_sub(1).saturating_mul(dilation).saturating_add(1);
        let free = size.saturating_add(before).saturating_add(after).checked_sub(window);
        WindowAxis { size, places: free.map_or(0, |free| free / stride + 1), taps, stride, before, dilation }
    }

    /// Where an element of the window lies in the picture when the window is at a place; nowhere in the padding.
    #[inline(always)]
    pub(super) fn at(&self, place: usize, tap: usize) -> Option<usize> {
        (place * self.stride + tap * self.dilation).checked_sub(self.before).filter(|at| *at < self.size)
    }

    /// All that an element of the window sees: positions in the picture, a stride apart.
    pub fn run(&self, tap: usize) -> Run {
        let offset = tap * self.dilation;
        // The places where it is behind the padding before the picture, and not behind its end.
        let first = self.before.saturating_sub(offset).div_ceil(self.stride);
        let end = (self.before + self.size).saturating_sub(offset).div_ceil(self.stride).min(self.places);
        let position = (first * self.stride + offset).saturating_sub(self.before);
        Run { first: position, count: end.saturating_sub(first) }
    }
}

/// Positions that follow each other in steps of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Run {
    /// The first of them.
    pub first: usize,
    /// How many there are.
    pub count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &Rows, shape: &[usize], values: &[f32]) -> Vec<(usize, Vec<f32>)> {
        let mut seen = Vec::new();
        rows.visit(shape, values, &mut |group, row| seen.push((group, row.to_vec())));
        seen
    }

    #[test]
    fn a_matrix_has_its_rows() {
        let seen = rows(&Rows::LastAxis, &[1, 2, 3], &[1., 2., 3., 4., 5., 6.]);
        assert_eq!(seen, [(0, vec![1., 2., 3.]), (0, vec![4., 5., 6.])]);
        assert_eq!(rows(&Rows::LastAxis, &[], &[1.0]), []);
    }

    #[test]
    fn a_convolution_is_the_product_of_its_windows_and_its_weights() {
        // Two groups of two channels, one of output each: what a convolution by hand gives is what the rows give.
        let (height, width, groups) = (4, 5, 2);
        let shape = [1, 4, height, width];
        let values: Vec<f32> = (0..80).map(|at| ((at * 37) % 23) as f32 - 11.0).collect();
        let weights: Vec<f32> = (0..36).map(|at| ((at * 7) % 11) as f32 - 5.0).collect();
        let windows = Rows::Windows { kernel: [3, 3], strides: [2, 1], pads: [1, 1, 0, 1], groups, dilations: [1, 1] };
        assert_eq!(windows.width(&shape), Some(18));
        let mut by_rows: Vec<f32> = Vec::new();
        windows.visit(&shape, &values, &mut |group, row| {
            by_rows.push(row.iter().zip(&weights[group * 18..]).map(|(x, w)| x * w).sum());
        });
        let mut by_hand = Vec::new();
        for group in 0..groups {
            for y in 0..2i32 {
                for x in 0..5i32 {
                    let mut sum = 0.0;
                    for c in 0..2 {
                        for ky in 0..3 {
                            for kx in 0..3 {
                                let (at_y, at_x) = (2 * y + ky - 1, x + kx - 1);
                                if (0..4).contains(&at_y) && (0..5).contains(&at_x) {
                                    let at = ((group * 2 + c) * 4 + at_y as usize) * 5 + at_x as usize;
                                    sum += values[at] * weights[group * 18 + c * 9 + (ky * 3 + kx) as usize];
                                }
                            }
                        }
                    }
                    by_hand.push(sum);
                }
            }
        }
        assert_eq!(by_rows, by_hand);
    }

    #[test]
    fn what_has_no_windows_has_no_rows() {
        let windows = Rows::Windows { kernel: [3, 3], strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        assert_eq!(windows.width(&[4, 5]), None);
        assert_eq!(rows(&windows, &[4, 5], &[0.0; 20]), []);
        assert_eq!(rows(&windows, &[1, 1, 2, 2], &[0.0; 4]), []);
    }
}
