//! How the numbers of a tensor lie: thinned, what the mask hides left out, counted in equal parts of their range.

use autoneural_core::encoding::Encoding;

/// Most elements of a value that are compared; of a larger one, evenly spaced ones.
const MOST: usize = 1 << 16;
/// Parts of a histogram.
const PARTS: usize = 24;

/// Evenly spaced elements of many.
pub(crate) fn thinned<T: Copy>(values: &[T]) -> Vec<T> {
    values.iter().step_by(values.len().div_ceil(MOST).max(1)).copied().collect()
}

/// The numbers of a tensor whose float counterparts are not below `floor`. Below the range of masked scores lies what
/// the mask hides: softmax makes 0 of it, whatever it is.
pub(crate) fn seen(values: &[f32], float: &[f32], floor: Option<f32>) -> Vec<f32> {
    let seen = values.iter().zip(float).filter(|(_, float)| floor.is_none_or(|floor| **float >= floor));
    seen.map(|(value, _)| *value).collect()
}

/// Numbers, cut to a range.
pub(crate) fn clamped(mut values: Vec<f32>, cut: Option<[f32; 2]>) -> Vec<f32> {
    if let Some([low, high]) = cut {
        values.iter_mut().for_each(|value| *value = value.max(low).min(high));
    }
    values
}

/// Range of numbers, with 0 in it; 0 to 0 without any.
pub(crate) fn range(values: &[f32]) -> [f32; 2] {
    values.iter().fold([0.0, 0.0], |[low, high], &value| [low.min(value), high.max(value)])
}

/// Share of numbers that lie outside an encoding's range, in percent.
pub(crate) fn saturation_percent(values: &[f32], encoding: &Encoding) -> f64 {
    100.0 * outside(values, encoding) as f64 / values.len().max(1) as f64
}

/// How many numbers lie outside an encoding's range.
pub(crate) fn outside(values: &[f32], encoding: &Encoding) -> usize {
    let [low, high] = encoding.range();
    // What is rounded to an end of the range is not outside it.
    let half = encoding.scale[0] / 2.0;
    values.iter().filter(|&&value| value < low - half || value > high + half).count()
}

/// Numbers in equal parts of a range; what lies outside is in the first or the last.
pub(crate) fn histogram(values: &[f32], [low, high]: [f32; 2]) -> Vec<u32> {
    let mut made = vec![0; PARTS];
    let part = (f64::from(high) - f64::from(low)) / PARTS as f64;
    for &value in values {
        let at = if part > 0.0 { ((f64::from(value) - f64::from(low)) / part) as usize } else { 0 };
        made[at.min(PARTS - 1)] += 1;
    }
    made
}

/// Root mean square of the noise that is not that of the worst input, as a share of the signal's, in percent: noise
/// powers add up where they are independent. 0 where the layer has less noise than its input.
pub(crate) fn added_percent(input_db: f64, own_db: f64) -> f64 {
    let power = |db: f64| 10f64.powf(-db / 10.0);
    100.0 * (power(own_db) - power(input_db)).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::encoding::IntegerType;

    #[test]
    fn noise_that_came_in_is_not_added() {
        assert_eq!(added_percent(30.0, 30.0), 0.0);
        assert_eq!(added_percent(20.0, 40.0), 0.0);
        assert!((added_percent(200.0, 40.0) - 1.0).abs() < 1e-6);
        assert!((added_percent(40.0, 40.0 - 10.0 * 2f64.log10()) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_histogram_counts_every_number_once() {
        let made = histogram(&[-9.0, 0.0, 0.49, 23.5, 24.0, 99.0], [0.0, 24.0]);
        assert_eq!((made[0], made[23], made.iter().sum::<u32>()), (3, 3, 6));
        assert_eq!(histogram(&[1.0, 1.0], [1.0, 1.0])[0], 2);
    }

    #[test]
    fn large_values_are_thinned_evenly() {
        let values: Vec<usize> = (0..3 * MOST).collect();
        assert_eq!(thinned(&values), (0..MOST).map(|at| 3 * at).collect::<Vec<_>>());
        assert_eq!(thinned(&[1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn what_is_hidden_does_not_count() {
        let (float, quantized) = ([-250.0, 1.0, -3.0], [-16.0, 1.1, -3.1]);
        assert_eq!(seen(&quantized, &float, Some(-16.0)), [1.1, -3.1]);
        assert_eq!(seen(&quantized, &float, None), quantized);
    }

    #[test]
    fn only_what_is_not_rounded_to_an_end_saturates() {
        let encoding = Encoding::of_range(IntegerType::Uint8, 0.0, 255.0);
        assert_eq!(saturation_percent(&[0.0, 255.4, 255.6, -0.6], &encoding), 50.0);
        assert_eq!(saturation_percent(&[], &encoding), 0.0);
    }
}
