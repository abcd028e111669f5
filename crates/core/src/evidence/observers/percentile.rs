//! Percentile: so many of the outermost numbers are left out on each side, however far they reach. After H. Wu and
//! others, "Integer Quantization for Deep Learning Inference: Principles and Empirical Evaluation", 2020
//! (arXiv:2004.09602), with 99.99 % of the numbers kept.

use super::bins::Bins;

/// Share of the numbers that may be left out on each side.
const OUTSIDE: f64 = 0.00005;

/// The range without the outermost numbers: a known number of them, to the width of a part of the histogram (3 %).
pub(super) fn range(bins: &Bins) -> [f32; 2] {
    let most = bins.total * OUTSIDE;
    let end = |numbers: &mut dyn Iterator<Item = &(f64, f64)>| {
        let mut outside = 0.0;
        for (number, count) in numbers {
            outside += count;
            if outside > most {
                return *number;
            }
        }
        0.0
    };
    let (low, high) = (end(&mut bins.filled.iter()), end(&mut bins.filled.iter().rev()));
    // A part's middle stands for all of it: what was the outermost part stays whole.
    let is_first = |number: f64, at: Option<&(f64, f64)>| at.is_some_and(|(first, _)| *first == number);
    let low = if is_first(low, bins.filled.first()) { bins.ends[0] } else { low };
    let high = if is_first(high, bins.filled.last()) { bins.ends[1] } else { high };
    bins.stored([low.min(0.0), high.max(0.0)])
}
