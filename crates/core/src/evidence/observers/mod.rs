//! How a histogram becomes a range: one file a method. All begin from the smallest and the largest number that was seen
//! and may leave some of the outermost numbers out, which are then cut off; what that costs depends on how many integers
//! there are.

mod bins;
mod entropy;
mod mse;
mod percentile;

use super::{Chosen, Histogram, ObserverKind};
use bins::Bins;

/// Bits of the integers that ranges are chosen for.
const BITS: [u32; 2] = [8, 16];

/// The ranges that a method makes of a histogram, whose numbers are between the ends `seen`; `None` for a method that
/// looks at no histogram, and where the ends are none.
pub fn choose(kind: ObserverKind, histogram: &Histogram, seen: [f32; 2]) -> Option<Chosen> {
    // Files of shards may be damaged; quantization refuses such statistics.
    if seen[0].partial_cmp(&seen[1]).is_none_or(|order| order.is_gt()) {
        return None;
    }
    let bins = Bins::new(histogram, seen);
    let [eight, sixteen] = match kind {
        ObserverKind::MinMax | ObserverKind::MovingAverage => return None,
        ObserverKind::Percentile => [percentile::range(&bins); 2],
        ObserverKind::Mse => BITS.map(|bits| mse::range(&bins, bits)),
        ObserverKind::Entropy => BITS.map(|bits| entropy::range(&bins, bits)),
    };
    Some(Chosen { eight, sixteen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{Encoding, IntegerType};
    use crate::evidence::histogram::BELOW;
    use proptest::prelude::*;

    const CLIPPING: [ObserverKind; 3] = [ObserverKind::Percentile, ObserverKind::Mse, ObserverKind::Entropy];

    fn ends(values: &[f32]) -> [f32; 2] {
        values.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| [low.min(*v), high.max(*v)])
    }

    fn chosen(kind: ObserverKind, values: &[f32]) -> Chosen {
        let mut histogram = Histogram::default();
        histogram.observe(values);
        choose(kind, &histogram, ends(values)).unwrap()
    }

    /// Mean squared error of 8-bit integers over a range, where rounding errors are spread evenly over a step.
    fn expected(values: &[f32], [low, high]: [f32; 2]) -> f64 {
        let step = f64::from(high - low) / 255.0;
        let outside = |v: &f32| f64::from(v - v.clamp(low, high)).powi(2);
        step * step / 12.0 + values.iter().map(outside).sum::<f64>() / values.len() as f64
    }

    /// The least that any range within the ends of these numbers costs: pairs of 32 shares of each end.
    fn least(values: &[f32], cost: impl Fn(&[f32], [f32; 2]) -> f64) -> f64 {
        let [min, max] = ends(values);
        let shares = || (1..=32).map(|at| at as f32 / 32.0);
        let all = shares().flat_map(|low| shares().map(move |high| [min * low, max * high]));
        all.map(|range| cost(values, range)).fold(f64::INFINITY, f64::min)
    }

    /// Mean squared error of 8-bit integers over a range, number by number.
    fn error(values: &[f32], [low, high]: [f32; 2]) -> f64 {
        let encoding = Encoding::of_range(IntegerType::Uint8, low, high);
        let made = encoding.dequantize(&encoding.quantize(values, &[values.len()]), &[values.len()]);
        values.iter().zip(made).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / values.len() as f64
    }

    /// The middle of the part of a histogram that a number is in.
    fn middle(value: f32) -> f32 {
        f32::from_bits(value.to_bits() >> BELOW << BELOW | 1 << (BELOW - 1))
    }

    /// Numbers that are dense in the middle, with tails: products of three spread numbers. A histogram knows them exactly.
    fn tailed() -> impl Strategy<Value = Vec<f32>> {
        let number = (-1f32..1.0, -1f32..1.0, -1f32..1.0, 0f32..1.0);
        let number = number.prop_map(|(a, b, c, d)| middle(4.0 * a * b * c / (0.02 + d)));
        prop::collection::vec(number, 400..1200)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn the_least_error_is_that_of_a_search_over_the_numbers_themselves(values in tailed()) {
            let best = least(&values, expected);
            let found = expected(&values, chosen(ObserverKind::Mse, &values).eight);
            prop_assert!(found <= 1.0001 * best, "{} is not {}", found, best);
        }

        #[test]
        fn order_makes_no_difference_and_no_range_is_wider_than_what_was_seen(
            values in tailed().prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
        ) {
            let ((values, shuffled), [min, max]) = (values.clone(), ends(&values.0));
            for kind in CLIPPING {
                let made = chosen(kind, &values);
                prop_assert_eq!(made, chosen(kind, &shuffled));
                for [low, high] in [made.eight, made.sixteen] {
                    prop_assert!(min.min(0.0) <= low && low <= 0.0 && 0.0 <= high && high <= max.max(0.0));
                }
            }
        }
    }

    /// Of many numbers the rounding errors are as spread as the method takes them to be. (Of some hundred they are not: one
    /// number that is far out may lie on a step or between two.)
    #[test]
    fn of_many_numbers_the_error_itself_is_the_least() {
        let spread = |at: usize, factor: usize, parts: usize| ((at * factor) % parts) as f32 / (parts / 2) as f32 - 1.0;
        let tailed = |at| (2.0 * spread(at, 7919, 2003) * spread(at, 104_729, 1999)).powi(3);
        let values: Vec<f32> = (0..40_000).map(tailed).collect();
        let best = least(&values, error);
        let found = error(&values, chosen(ObserverKind::Mse, &values).eight);
        assert!(found <= 1.05 * best, "{found} is not {best}");
        assert!(best < 0.98 * error(&values, ends(&values)), "something is to be cut off");
    }

    #[test]
    fn one_number_that_is_far_out_is_cut_off_where_there_are_few_integers() {
        let mut values: Vec<f32> = (0..100_000).map(|at| ((at * 7919) % 2003) as f32 / 1001.0 - 1.0).collect();
        values.push(40.0);
        for kind in CLIPPING {
            let [low, high] = chosen(kind, &values).eight;
            assert!((-1.0..-0.5).contains(&low), "{kind}: {low}");
            // One error of 40 is as much as rounding of all the others costs.
            let most = if kind == ObserverKind::Mse { 40.0 } else { 20.0 };
            assert!((0.5..most).contains(&high), "{kind}: {high}");
        }
        // Rounding to 16 bits costs less than cutting it off.
        assert_eq!(chosen(ObserverKind::Mse, &values).sixteen[1], 40.0);
        assert_eq!(choose(ObserverKind::MinMax, &Histogram::default(), [0.0; 2]), None);
        for ends in [[1.0, -1.0], [f32::NAN, 1.0], [0.0, f32::NAN]] {
            assert_eq!(choose(ObserverKind::Mse, &Histogram::default(), ends), None);
        }
    }

    /// Numbers of all sizes down to nothing, and many zeros, as a Relu makes them: no reason to cut much off.
    #[test]
    fn what_lies_near_zero_does_not_draw_the_range_in() {
        let bell =
            |at: usize| (((at * 7919) % 2003) as f32 / 1001.0 - 1.0) * (((at * 104_729) % 1999) as f32 / 999.5 - 1.0);
        let values: Vec<f32> = (0..200_000).map(|at| 3.0 * bell(at)).collect();
        let cut: Vec<f32> = values.iter().map(|value| value.max(0.0)).collect();
        for values in [&values, &cut] {
            let made = chosen(ObserverKind::Entropy, values);
            for ([_, high], least) in [(made.eight, 1.5), (made.sixteen, 2.5)] {
                assert!(high > least, "{high} of {:?}", ends(values));
            }
        }
    }

    #[test]
    fn what_is_constant_keeps_its_range() {
        for kind in CLIPPING {
            for (value, wanted) in [(0.0, [0.0, 0.0]), (3.0, [0.0, 3.0]), (-0.5, [-0.5, 0.0]), (1e-38, [0.0, 1e-38])] {
                let made = chosen(kind, &[value; 100]);
                assert_eq!((made.eight, made.sixteen), (wanted, wanted), "{kind} of {value}");
            }
        }
    }
}
