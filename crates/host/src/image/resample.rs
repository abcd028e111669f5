//! Resizing as Pillow does it, to the last bit: in integers, along rows and along columns, rounded to 8 bits after
//! each. A model was trained with pictures that went through it, and other filters of the same name differ from it.

use std::ops::Range;

use super::picture::Picture;
use autoneural_core::recipe::Resize;

/// Bits of a weight behind the point; 8 are for the pixel and 2 for sums beyond it.
const PRECISION: u32 = 32 - 8 - 2;
/// What rounds a sum.
const HALF: i32 = 1 << (PRECISION - 1);

/// Which pixels make a new one, and with which weights.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// A part of a picture at another size. Nothing outside of it is computed, and its pixels are those of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Width and height of the whole.
    pub whole: (usize, usize),
    /// Columns left of the part, and rows above it.
    pub from: (usize, usize),
    /// Its width and height.
    pub size: (usize, usize),
}

impl Cut {
    /// All of it.
    pub(crate) fn whole(width: usize, height: usize) -> Self {
        Cut { whole: (width, height), from: (0, 0), size: (width, height) }
    }
}

/// A part of the upright picture at another size, as RGB, row by row.
pub(crate) fn resample(picture: &Picture, cut: Cut, filter: Resize) -> Vec<u8> {
    let (from_width, from_height) = picture.size();
    let Cut { whole: (whole_width, whole_height), from: (left, above), size: (width, height) } = cut;
    let across = taps(from_width, whole_width, left..left + width, filter);
    let down = taps(from_height, whole_height, above..above + height, filter);
    let (mut row, mut made) = (vec![0; 3 * from_width], vec![0; 3 * width * height]);
    // The order decides about what is rounded in between. Pillow 13 begins with columns where that leaves much less to
    // do.
    if from_height.saturating_sub(whole_height) > 2 * from_width.saturating_sub(whole_width) {
        for (line, taps) in made.chunks_exact_mut(3 * width).zip(&down) {
            let mut sums = vec![HALF; row.len()];
            for (&weight, y) in taps.weights.iter().zip(taps.first..) {
                picture.row(y, &mut row);
                sums.iter_mut().zip(&row).for_each(|(sum, &value)| *sum += i32::from(value) * weight);
            }
            row.iter_mut().zip(sums).for_each(|(value, sum)| *value = code(sum));
            along_row(&row, line, &across);
        }
        return made;
    }
    let mut narrow = vec![0; 3 * width * from_height];
    for (y, line) in narrow.chunks_exact_mut(3 * width).enumerate() {
        picture.row(y, &mut row);
        along_row(&row, line, &across);
    }
    for (line, taps) in made.chunks_exact_mut(3 * width).zip(&down) {
        for (at, value) in line.iter_mut().enumerate() {
            *value = weigh(taps, |y| narrow[3 * width * y + at]);
        }
    }
    made
}

fn along_row(row: &[u8], line: &mut [u8], across: &[Taps]) {
    for (pixel, taps) in line.chunks_exact_mut(3).zip(across) {
        for (channel, value) in pixel.iter_mut().enumerate() {
            *value = weigh(taps, |x| row[3 * x + channel]);
        }
    }
}

fn weigh(taps: &Taps, pixel: impl Fn(usize) -> u8) -> u8 {
    let weights = taps.weights.iter().zip(taps.first..);
    code(weights.fold(HALF, |sum, (&weight, at)| sum + i32::from(pixel(at)) * weight))
}

fn code(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn taps(from: usize, to: usize, positions: Range<usize>, filter: Resize) -> Vec<Taps> {
    if from == to {
        return positions.map(|first| Taps { first, weights: vec![1 << PRECISION] }).collect();
    }
    let scale = from as f64 / to as f64;
    // What shrinks a picture looks at all pixels that go into a new one.
    let stretch = scale.max(1.0);
    let reach = stretch * if filter == Resize::Bilinear { 1.0 } else { 2.0 };
    let one = |position: usize| {
        let center = (position as f64 + 0.5) * scale;
        let first = (center - reach + 0.5).max(0.0) as usize;
        let last = ((center + reach + 0.5) as usize).min(from);
        let weight = |at: usize| kernel((at as f64 - center + 0.5) * (1.0 / stretch), filter);
        let mut weights: Vec<f64> = (first..last).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        if sum != 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        let fixed = |weight: &f64| (weight * f64::from(1 << PRECISION) + 0.5f64.copysign(*weight)) as i32;
        Taps { first, weights: weights.iter().map(fixed).collect() }
    };
    positions.map(one).collect()
}

/// The weight of a pixel at a distance; bicubic is Keys' with a = -0.5.
fn kernel(distance: f64, filter: Resize) -> f64 {
    const A: f64 = -0.5;
    let x = distance.abs();
    match filter {
        Resize::Bilinear => (1.0 - x).max(0.0),
        Resize::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        Resize::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        Resize::Bicubic => 0.0,
    }
}
