//! The parts of a histogram that hold numbers, each as one number with a count.

use crate::evidence::Histogram;

/// Numbers with their counts, from the smallest to the largest, and the ends that all are between.
pub(super) struct Bins {
    /// Middle of a part, within the ends, and how many numbers are in it.
    pub(super) filled: Vec<(f64, f64)>,
    /// How wide each of these parts is; 0 for what is so near to zero that it counts as zero.
    pub(super) widths: Vec<f64>,
    /// The ends; 0 is always between them, since every encoding has it.
    pub(super) ends: [f64; 2],
    /// All numbers.
    pub(super) total: f64,
}

impl Bins {
    /// Of a histogram whose numbers are between these ends.
    pub(super) fn new(histogram: &Histogram, [min, max]: [f32; 2]) -> Self {
        let ends = [f64::from(min.min(0.0)), f64::from(max.max(0.0))];
        let (mut filled, mut widths) = (Vec::new(), Vec::new());
        for (bin, count) in histogram.counts().iter().enumerate().filter(|(_, count)| **count > 0) {
            let [low, high] = Histogram::ends(bin).map(f64::from);
            filled.push((((low + high) / 2.0).clamp(f64::from(min), f64::from(max)), *count as f64));
            widths.push(if low < 0.0 && high > 0.0 { 0.0 } else { high - low });
        }
        let total = filled.iter().map(|(_, count)| count).sum();
        Bins { filled, widths, ends, total }
    }

    /// A range of them as stored; never wider than the ends.
    pub(super) fn stored(&self, [low, high]: [f64; 2]) -> [f32; 2] {
        [low.max(self.ends[0]) as f32, high.min(self.ends[1]) as f32]
    }
}
