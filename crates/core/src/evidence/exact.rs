//! Sums that are the same in whatever order their numbers come, and however these are spread over shards.
//!
//! A number is split at fixed powers of two, `2^(32 k - 149)`, into digits of 32 bits; each digit is an integer, and
//! integers add up exactly. A sum keeps the digits of the highest place that any of its numbers reaches and of the
//! place below it. Which places these are depends on the largest number alone, so what is dropped is the same in every
//! order. After J. Demmel and H. D. Nguyen, "Parallel Reproducible Summation", IEEE Transactions on Computers 64(7),
//! 2015, with integers in place of their floating-point accumulators, and two places.

use std::ops::Range;

/// Bits of a digit.
const DIGIT: u32 = 32;
/// Exponent of the smallest number of single precision, from which places are counted.
const LEAST: i32 = -149;
/// The highest place of a number in single precision.
const HIGHEST: u8 = 8;
/// Bits of the fraction of a number in single precision.
const FRACTION: u32 = 23;

/// Sums of numbers in single precision, each known to at least 2^-32 of its largest number. They hold for 2^31 numbers
/// each; what comes after that may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact {
    /// Sums of the digits at the sum's place.
    high: Vec<i64>,
    /// Sums of the digits at the place below.
    low: Vec<i64>,
    /// The places.
    place: Vec<u8>,
}

/// Digits of a number, or sums of those of several numbers: the highest place that one of them reaches, what is there,
/// and what is at the place below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Digits {
    place: u8,
    high: i64,
    low: i64,
}

impl Digits {
    /// Those of a number. An infinite one counts as the largest number of its sign, NaN as nothing.
    #[inline(always)]
    fn of(value: f32) -> Self {
        let bits = value.clamp(f32::MIN, f32::MAX).to_bits();
        let (exponent, fraction) = ((bits >> FRACTION) & 0xff, bits & ((1 << FRACTION) - 1));
        // In units of the smallest number there is.
        let leading = if exponent == 0 { 0 } else { 1 << FRACTION };
        let mantissa = if exponent == 0xff { 0 } else { u64::from(fraction | leading) };
        let shift = exponent.saturating_sub(1);
        let wide = mantissa << (shift % DIGIT);
        let (above, here) = (wide >> DIGIT, wide & ((1 << DIGIT) - 1));
        let (reaches, sign) = (above != 0, if bits >> 31 == 1 { -1 } else { 1 });
        let [high, low] = if reaches { [above, here] } else { [here, 0] };
        let place = if mantissa == 0 { 0 } else { (shift / DIGIT) as u8 + u8::from(reaches) };
        Digits { place, high: sign * high as i64, low: sign * low as i64 }
    }

    /// Adds others.
    #[inline]
    fn add(&mut self, other: Digits) {
        if other.place == self.place {
            self.high = self.high.saturating_add(other.high);
            self.low = self.low.saturating_add(other.low);
        } else if other.place > self.place {
            // What was added so far has no digit at the new place.
            let kept = if other.place == self.place + 1 { self.high } else { 0 };
            *self = Digits { low: other.low.saturating_add(kept), ..other };
        } else if other.place + 1 == self.place {
            self.low = self.low.saturating_add(other.high);
        }
    }
}

impl Exact {
    /// Bytes that a sum takes.
    pub const BYTES: u64 = 17;

    /// So many sums of nothing.
    pub(super) fn new(count: usize) -> Self {
        Exact { high: vec![0; count], low: vec![0; count], place: vec![0; count] }
    }

    /// The inverse of [`Exact::parts`]; `None` if there are not as many of each, or a place is impossible.
    pub fn of_parts(high: Vec<i64>, low: Vec<i64>, place: Vec<u8>) -> Option<Self> {
        let fits = high.len() == low.len() && high.len() == place.len() && place.iter().all(|place| *place <= HIGHEST);
        fits.then_some(Exact { high, low, place })
    }

    /// Its parts, as files hold them: sums of the digits at each sum's place and below it, and the places.
    pub fn parts(&self) -> (&[i64], &[i64], &[u8]) {
        (&self.high, &self.low, &self.place)
    }

    /// How many sums there are.
    pub fn len(&self) -> usize {
        self.high.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.high.is_empty()
    }

    /// A sum, rounded to double precision.
    pub fn get(&self, at: usize) -> f64 {
        let digits = self.high[at] as f64 * 2f64.powi(DIGIT as i32) + self.low[at] as f64;
        let exponent = LEAST + DIGIT as i32 * (i32::from(self.place[at]) - 1);
        // A power of two, by the bits of its exponent.
        digits * f64::from_bits(((1023 + exponent) as u64) << 52)
    }

    /// Adds a number to a sum. An infinite one counts as the largest number of its sign, NaN as nothing.
    pub(super) fn add(&mut self, at: usize, value: f32) {
        self.take(at, Digits::of(value));
    }

    /// Adds as many other sums to these.
    pub(super) fn merge(&mut self, other: &Exact) {
        for at in 0..self.len() {
            self.take(at, Digits { place: other.place[at], high: other.high[at], low: other.low[at] });
        }
    }

    /// Adds digits to a sum.
    fn take(&mut self, at: usize, digits: Digits) {
        self.of(at..at + 1).take(0, digits);
    }

    /// Some of the sums, to add to.
    pub(super) fn of(&mut self, range: Range<usize>) -> SomeSums<'_> {
        let Exact { high, low, place } = self;
        SomeSums { high: &mut high[range.clone()], low: &mut low[range.clone()], place: &mut place[range] }
    }
}

/// Sums to add to, which may be divided among threads.
pub(super) struct SomeSums<'a> {
    high: &'a mut [i64],
    low: &'a mut [i64],
    place: &'a mut [u8],
}

impl SomeSums<'_> {
    /// Some of these.
    pub(super) fn part(&mut self, range: Range<usize>) -> SomeSums<'_> {
        let SomeSums { high, low, place } = self;
        SomeSums { high: &mut high[range.clone()], low: &mut low[range.clone()], place: &mut place[range] }
    }

    /// The first `count` sums, and those behind them.
    pub(super) fn split_at(self, count: usize) -> (Self, Self) {
        let (high, low, place) =
            (self.high.split_at_mut(count), self.low.split_at_mut(count), self.place.split_at_mut(count));
        (SomeSums { high: high.0, low: low.0, place: place.0 }, SomeSums { high: high.1, low: low.1, place: place.1 })
    }

    /// Adds numbers to as many sums, from this one on: the same as [`Exact::add`] of each. There is no branch, so the
    /// compiler makes vector instructions of it where it may use wide registers.
    #[inline(always)]
    pub(super) fn add_all(&mut self, first: usize, values: &[f32]) {
        let range = first..first + values.len();
        let sums = self.high[range.clone()].iter_mut().zip(&mut self.low[range.clone()]).zip(&mut self.place[range]);
        for (((high, low), place), &value) in sums.zip(values) {
            let Digits { place: to, high: more, low: below } = Digits::of(value);
            let (own, to) = (i64::from(*place), i64::from(to));
            let (is_same, is_above, is_next) = (to == own, to > own, to == own + 1);
            // 2^31 numbers of 32 bits do not overflow.
            let low_here = low.wrapping_add(if is_same {
                below
            } else if to + 1 == own {
                more
            } else {
                0
            });
            let low_above = below.wrapping_add(if is_next { *high } else { 0 });
            let high_here = high.wrapping_add(if is_same { more } else { 0 });
            *low = if is_above { low_above } else { low_here };
            *high = if is_above { more } else { high_here };
            *place = own.max(to) as u8;
        }
    }

    #[inline]
    fn take(&mut self, at: usize, digits: Digits) {
        let mut own = Digits { place: self.place[at], high: self.high[at], low: self.low[at] };
        own.add(digits);
        (self.place[at], self.high[at], self.low[at]) = (own.place, own.high, own.low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(values: &[f32]) -> Exact {
        let mut made = Exact::new(1);
        values.iter().for_each(|value| made.add(0, *value));
        made
    }

    fn number() -> impl Strategy<Value = f32> {
        prop_oneof![-4f32..4.0, -1e-6f32..1e-6, -1e30f32..1e30, any::<f32>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn order_and_shards_make_no_difference(
            values in prop::collection::vec(number(), 1..40).prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
            cut in any::<prop::sample::Index>(),
        ) {
            let (values, shuffled) = values;
            let whole = sum(&values);
            prop_assert_eq!(&sum(&shuffled), &whole);
            let cut = cut.index(values.len());
            let (mut first, mut second) = (sum(&values[..cut]), sum(&values[cut..]));
            let before = first.clone();
            first.merge(&second);
            second.merge(&before);
            prop_assert_eq!(&first, &whole);
            prop_assert_eq!(&second, &whole);
        }

        #[test]
        fn it_is_the_sum(values in prop::collection::vec(number(), 0..60)) {
            let values: Vec<f64> =
                values.iter().filter(|v| !v.is_nan()).map(|v| f64::from(v.clamp(f32::MIN, f32::MAX))).collect();
            let made = sum(&values.iter().map(|v| *v as f32).collect::<Vec<_>>()).get(0);
            let (whole, most) = (values.iter().sum::<f64>(), values.iter().fold(0f64, |most, v| most.max(v.abs())));
            let allowed = values.len() as f64 * most * 2f64.powi(-32);
            prop_assert!((made - whole).abs() <= allowed, "{} is not {}", made, whole);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn many_at_once_are_the_same_as_each(rows in prop::collection::vec(prop::array::uniform5(number()), 1..20)) {
            let (mut made, mut each) = (Exact::new(7), Exact::new(7));
            for row in rows {
                made.of(1..7).add_all(1, &row);
                row.into_iter().enumerate().for_each(|(at, value)| each.add(2 + at, value));
            }
            prop_assert_eq!(made, each);
        }
    }

    #[test]
    fn single_numbers_are_exact_at_every_size() {
        let many = (0..255u32).flat_map(|exponent| [0, 1, 0x2b_cdef, 0x7f_ffff].map(|f| (exponent << 23) | f));
        for value in many.map(f32::from_bits) {
            assert_eq!(sum(&[value]).get(0), f64::from(value), "{value:e}");
            assert_eq!(sum(&[-value]).get(0), -f64::from(value), "{value:e}");
        }
        assert_eq!(sum(&[f32::NAN, f32::INFINITY]).get(0), f64::from(f32::MAX));
        assert_eq!(sum(&[1e30, 1.5, -1e30]).get(0), 0.0, "beside numbers of 100 bits more one is nothing");
    }

    #[test]
    fn parts_of_a_file_are_refused_where_they_cannot_be_some() {
        let made = sum(&[3.0, -0.125]);
        let (high, low, place) = made.parts();
        assert_eq!(Exact::of_parts(high.to_vec(), low.to_vec(), place.to_vec()), Some(made.clone()));
        assert_eq!(Exact::of_parts(vec![1], vec![1], vec![9]), None);
        assert_eq!(Exact::of_parts(vec![1], vec![1, 2], vec![1]), None);
        assert_eq!(
            Exact::of_parts(vec![i64::MAX], vec![i64::MAX], vec![8]).map(|made| made.get(0).is_finite()),
            Some(true)
        );
    }
}
