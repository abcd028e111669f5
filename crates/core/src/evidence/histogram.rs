//! Histograms whose parts (bins) are the same for every value of every model. So the counts of several runs or shards
//! add up to the counts of all of them, in whatever order they come.

/// How many powers of two have parts of their own: `2^-32 ..= 2^31`.
const EXPONENTS: usize = 64;
/// The smallest of these exponents.
const LEAST: i32 = -32;
/// Parts of one power of two, all of the same width: a number is known to 3 % of itself.
const PARTS: usize = 32;
/// Bits of an f32's fraction that do not count: the five highest of its 23 bits tell the 32 parts apart.
pub(super) const BELOW: u32 = 18;
/// Parts of one sign.
const OF_SIGN: usize = EXPONENTS * PARTS;

/// Numbers counted by sign, power of two and the 32nd part of it. Numbers nearer to zero than `2^-32` count as zero;
/// those of `2^32` and more are in the outermost parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Counts from the most negative part over zero to the most positive one.
    counts: Vec<u64>,
    /// Numbers that were NaN or infinite; they are in no part.
    pub non_finite: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; Self::BINS], non_finite: 0 }
    }
}

impl Histogram {
    /// Number of parts.
    pub const BINS: usize = 2 * OF_SIGN + 1;

    /// A histogram of these counts, as [`Histogram::counts`] gives them; `None` if there are not [`Histogram::BINS`] of
    /// them.
    pub fn of_counts(counts: Vec<u64>, non_finite: u64) -> Option<Self> {
        (counts.len() == Self::BINS).then_some(Histogram { counts, non_finite })
    }

    /// Counts these numbers.
    pub fn observe(&mut self, values: &[f32]) {
        for &value in values {
            match value.is_finite() {
                true => self.counts[bin(value)] += 1,
                false => self.non_finite += 1,
            }
        }
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own = own.saturating_add(*other));
        self.non_finite = self.non_finite.saturating_add(other.non_finite);
    }

    /// How many numbers are in each part, from the most negative part to the most positive one.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The ends of a part, the lower one first. The end that is nearer to zero belongs to the part, the other end to
    /// the next part.
    pub fn ends(bin: usize) -> [f32; 2] {
        let magnitude = |place: usize| {
            let (power, part) = ((place / PARTS) as i32 + LEAST, (place % PARTS) as f32 / PARTS as f32);
            (1.0 + part) * 2f32.powi(power)
        };
        let smallest = magnitude(0);
        match bin.cmp(&OF_SIGN) {
            std::cmp::Ordering::Equal => [-smallest, smallest],
            std::cmp::Ordering::Greater => [magnitude(bin - OF_SIGN - 1), magnitude(bin - OF_SIGN)],
            std::cmp::Ordering::Less => [-magnitude(OF_SIGN - bin), -magnitude(OF_SIGN - bin - 1)],
        }
    }
}

/// The part of a finite number.
fn bin(value: f32) -> usize {
    let bits = value.to_bits() & 0x7fff_ffff;
    // Exponent and the highest bits of the fraction in one number, which grows with the magnitude.
    let place = (bits >> BELOW) as i32 - ((127 + LEAST) << (23 - BELOW));
    if place < 0 {
        return OF_SIGN;
    }
    let place = (place as usize).min(OF_SIGN - 1);
    if value < 0.0 { OF_SIGN - 1 - place } else { OF_SIGN + 1 + place }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_number_is_within_its_part(value in prop_oneof![-1e3f32..1e3, -1e-6f32..1e-6, any::<f32>()]) {
            prop_assume!(value.is_finite() && value.abs() < 2f32.powi(32));
            let [low, high] = Histogram::ends(bin(value));
            prop_assert!(low <= value && value <= high, "{value} is not in {low}..{high}");
            let is_inner = low > 0.0 || high < 0.0;
            prop_assert!(!is_inner || (high - low) <= value.abs() / 32.0 * 1.0001);
        }
    }

    #[test]
    fn parts_follow_each_other_and_outliers_are_in_the_last() {
        for bin in 1..Histogram::BINS {
            assert_eq!(Histogram::ends(bin - 1)[1], Histogram::ends(bin)[0], "{bin}");
        }
        let mut made = Histogram::default();
        made.observe(&[0.0, -0.0, 1e-20, 1e30, -1e30, f32::NAN, f32::INFINITY]);
        let counts = made.counts();
        assert_eq!((counts[OF_SIGN], counts[0], counts[Histogram::BINS - 1]), (3, 1, 1));
        assert_eq!((counts.iter().sum::<u64>(), made.non_finite), (5, 2));
        assert_eq!(Histogram::of_counts(vec![0; 3], 0), None);
    }
}
