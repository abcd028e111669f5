//! MSE: the range with the least mean squared error, of rounding inside and of cutting off outside. Rounding to steps of
//! length `d` costs `d^2 / 12` a number, after R. Banner, Y. Nahshan and D. Soudry, "Post Training 4-bit Quantization of
//! Convolutional Networks for Rapid-Deployment", NeurIPS 2019; what is cut off is counted from the histogram, in place
//! of their assumption of a distribution.

use super::bins::Bins;

/// Candidates for each end: as many shares of it.
const CANDIDATES: usize = 64;

/// The best of all pairs of candidates.
pub(super) fn range(bins: &Bins, bits: u32) -> [f32; 2] {
    let share = |end: f64, at: usize| end * at as f64 / CANDIDATES as f64;
    let cut: [Vec<f64>; 2] = [0, 1].map(|side: usize| {
        let end = bins.ends[side];
        let cost = |at: usize| {
            let end = share(end, at);
            let outside = bins.filled.iter().filter(|(x, _)| if side == 0 { *x < end } else { *x > end });
            outside.map(|(x, count)| count * (x - end).powi(2)).sum::<f64>()
        };
        (0..=CANDIDATES).map(cost).collect()
    });
    let steps = f64::from((1u32 << bits) - 1);
    let cost = |low: usize, high: usize| {
        let step = (share(bins.ends[1], high) - share(bins.ends[0], low)) / steps;
        bins.total * step * step / 12.0 + cut[0][low] + cut[1][high]
    };
    let mut best = (f64::INFINITY, [CANDIDATES; 2]);
    // From the widest on, which is kept where others are no better. An end of 0 has one candidate.
    let candidates = |end: f64| if end == 0.0 { CANDIDATES..=CANDIDATES } else { 1..=CANDIDATES };
    for low in candidates(bins.ends[0]).rev() {
        for high in candidates(bins.ends[1]).rev() {
            let cost = cost(low, high);
            if cost < best.0 {
                best = (cost, [low, high]);
            }
        }
    }
    let [low, high] = best.1;
    bins.stored([share(bins.ends[0], low), share(bins.ends[1], high)])
}
