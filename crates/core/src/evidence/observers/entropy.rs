//! Entropy: the range that loses the least information, by the Kullback-Leibler divergence of what integers can tell
//! apart from what was seen. After S. Migacz, "8-bit Inference with TensorRT", GTC 2017: magnitudes beyond a threshold
//! are cut off, on both sides. Parts of the histogram take the place of its 2048 equal bins: as these are not of one
//! width, a level spreads its numbers over them by their widths. Zero is a level of its own, which integers tell exactly.

use std::collections::BTreeMap;

use super::bins::Bins;

/// Candidates for the threshold: as many shares of the largest magnitude.
const CANDIDATES: usize = 64;

/// The best of all candidates.
pub(super) fn range(bins: &Bins, bits: u32) -> [f32; 2] {
    let [low, high] = bins.ends;
    let ends = |at: usize| {
        let threshold = high.max(-low) * at as f64 / CANDIDATES as f64;
        [low.max(-threshold), high.min(threshold)]
    };
    let mut best = (f64::INFINITY, CANDIDATES);
    // From the widest on, which is kept where others are no better.
    for at in (1..=CANDIDATES).rev() {
        let lost = divergence(bins, ends(at), bits);
        if lost < best.0 {
            best = (lost, at);
        }
    }
    bins.stored(ends(best.1))
}

/// How far what `2^bits` levels between these ends tell apart is from what was seen, in nats; what lies outside counts
/// as seen at the ends.
fn divergence(bins: &Bins, [low, high]: [f64; 2], bits: u32) -> f64 {
    let step = (high - low) / f64::from((1u32 << bits) - 1);
    if step <= 0.0 {
        return f64::INFINITY;
    }
    let level = |x: f64| ((x - low) / step).round() as i64;
    let is_inside = |x: &f64| (low..=high).contains(x);
    // For each level how many numbers are inside, and how wide their parts are together.
    let mut levels: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    let mut inside = 0.0;
    for ((x, count), width) in bins.filled.iter().zip(&bins.widths).filter(|((x, _), _)| is_inside(x)) {
        inside += count;
        if *width > 0.0 {
            let of = levels.entry(level(*x)).or_default();
            *of = (of.0 + count, of.1 + width);
        }
    }
    let first = bins.filled.iter().position(|(x, _)| is_inside(x));
    let (Some(first), Some(last)) = (first, bins.filled.iter().rposition(|(x, _)| is_inside(x))) else {
        return f64::INFINITY;
    };
    let (below, above): (f64, f64) = (
        bins.filled[..first].iter().map(|(_, count)| count).sum(),
        bins.filled[last + 1..].iter().map(|(_, count)| count).sum(),
    );
    let lost = bins.filled[first..=last].iter().enumerate().map(|(at, (x, count))| {
        let cut = if at == 0 { below } else { 0.0 } + if first + at == last { above } else { 0.0 };
        let width = bins.widths[first + at];
        let told = match levels.get(&level(*x)).filter(|_| width > 0.0) {
            Some((numbers, widths)) => numbers * width / widths,
            None => *count,
        };
        let (seen, told) = ((count + cut) / bins.total, told / inside);
        seen * (seen / told).ln()
    });
    lost.sum()
}
