//! Numbers drawn by chance that are the same on every machine: ChaCha, and nothing but the basic operations of IEEE 754
//! behind it. Functions of the C library differ from machine to machine in the last bit.

use std::sync::OnceLock;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// Chance of one tensor: it depends on the seed and the name only, so tensors do not depend on each other.
pub(crate) fn generator(seed: u64, name: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(b"autoneural synth 1");
    hash.update(seed.to_le_bytes());
    hash.update(name.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// `e^x` for `|x| <= 40`.
pub(crate) fn exp(x: f64) -> f64 {
    let x = x / 64.0;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..20 {
        term *= x / f64::from(k);
        sum += term;
    }
    for _ in 0..6 {
        sum *= sum;
    }
    sum
}

/// A number that is nearly normal, with mean 0 and variance 1: the sum of twelve uniform ones.
pub(crate) fn normal(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0
}

/// A number from 0 to 1.
pub(crate) fn uniform(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32()) / 4_294_967_296.0
}

/// Bits of a random number that choose a cell of the quantile table; the others go between the cell's ends.
const CELL_BITS: u32 = 16;
const CELLS: usize = 1 << CELL_BITS;

/// Student's t with ten degrees of freedom, brought to variance 1, from 32 random bits: its quantile function at the
/// ends of 65536 cells. What is rarer than 2^-18 on either side is cut off, at about 7.5 standard deviations.
pub(crate) struct HeavyTails(Vec<f32>);

impl HeavyTails {
    /// The table, made once.
    pub(crate) fn table() -> &'static Self {
        static TABLE: OnceLock<HeavyTails> = OnceLock::new();
        TABLE.get_or_init(|| {
            let mut ends = vec![0.0; CELLS + 1];
            for end in 1..=CELLS / 2 {
                let beyond = if end == CELLS / 2 { 0.25 } else { (CELLS / 2 - end) as f64 };
                let value = quantile(beyond / CELLS as f64) as f32;
                ends[CELLS / 2 + end] = value;
                ends[CELLS / 2 - end] = -value;
            }
            HeavyTails(ends)
        })
    }

    /// The number that these bits stand for.
    #[inline]
    pub(crate) fn pick(&self, bits: u32) -> f32 {
        let cell = (bits >> (32 - CELL_BITS)) as usize;
        let part = (bits & ((1 << (32 - CELL_BITS)) - 1)) as f32 / (1u32 << (32 - CELL_BITS)) as f32;
        let (low, high) = (self.0[cell], self.0[cell + 1]);
        low + (high - low) * part
    }
}

/// The positive number that a t-distributed one with ten degrees of freedom exceeds with this probability, divided by
/// the distribution's standard deviation. With even degrees of freedom the distribution is algebraic (Abramowitz &
/// Stegun 26.7.4), so bisection needs no function of the C library.
fn quantile(beyond: f64) -> f64 {
    let exceeds = |t: f64| {
        let c = 10.0 / (10.0 + t * t);
        let sine = t / (10.0 + t * t).sqrt();
        let series = 1.0 + c * (1.0 / 2.0 + c * (3.0 / 8.0 + c * (5.0 / 16.0 + c * (35.0 / 128.0))));
        0.5 - 0.5 * sine * series
    };
    let (mut low, mut high) = (0.0, 64.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if exceeds(middle) > beyond { low = middle } else { high = middle }
    }
    low / 1.25f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_moments_of_their_distribution() {
        let mut random = generator(1, "x");
        let moments = |draw: &mut dyn FnMut() -> f64| {
            let (mut second, mut fourth) = (0.0, 0.0);
            for _ in 0..2_000_000 {
                let square = draw().powi(2) / 2e6;
                second += square;
                fourth += square * square * 2e6;
            }
            (second, fourth / (second * second))
        };
        let (variance, kurtosis) = moments(&mut || normal(&mut random));
        assert!((variance - 1.0).abs() < 0.01 && (kurtosis - 2.9).abs() < 0.05, "{variance} {kurtosis}");
        // Ten degrees of freedom have a kurtosis of 4; the cut takes a little of it.
        let (variance, kurtosis) = moments(&mut || f64::from(HeavyTails::table().pick(random.next_u32())));
        assert!((variance - 1.0).abs() < 0.01 && (3.8..4.1).contains(&kurtosis), "{variance} {kurtosis}");
    }

    #[test]
    fn the_exponential_is_that_of_the_library_but_for_rounding() {
        for x in [-40.0, -5.0, -0.3, 0.0, 1e-9, 2.5, 12.5, 40.0f64] {
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // Student's t, ten degrees of freedom: 1.812 at 5 %, 3.169 at 0.5 %.
        for (beyond, wanted) in [(0.05, 1.812), (0.005, 3.169), (0.5, 0.0)] {
            assert!((quantile(beyond) * 1.25f64.sqrt() - wanted).abs() < 1e-3, "{beyond}");
        }
    }
}
