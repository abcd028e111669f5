//! Weight scales that a target's integer arithmetic can represent.
//!
//! The hardware brings the sums of a convolution or matrix product to the output's encoding by multiplying with
//! `input scale x weight scale / output scale`, once per channel. If it keeps only some significant bits of that
//! multiplier, the whole channel is off by the rest: up to 0.4 %, or 53 dB, on the SA8295P. We choose the weight scale,
//! so we move it by that little, and the multiplier becomes one that the hardware holds exactly.
//!
//! Before that, the hardware adds the output's zero point to the sums, as `zero point / multiplier`. If it keeps sums
//! in steps of several integers, it cuts this number off to such a step, which shifts the whole channel. So of the
//! exact multipliers nearby we take the one for which two errors together are least: this shift, and the change of the
//! scale, which matters if weights lie on a grid that was learned.
//!
//! `zero point / multiplier`, counted in steps, has to fit into 32 bits. A channel that is nearly zero beside the
//! others, or whose input is zero, has a multiplier for which it does not fit. We raise the scale of such a channel
//! until it fits. What its weights lose by that is less than one integer of the output.

use crate::encoding::Encoding;

/// How many exact multipliers on each side of the nearest one are tried. With 10 bits, neighbours differ by at most
/// 0.1 %.
const NEARBY: i32 = 2;
/// Typical root mean square of an output, as a share of its range. It sets only how the two errors are weighed.
const TYPICAL: f64 = 1.0 / 16.0;
/// How far from an integer the mantissa of an exact multiplier may be, because its scale was rounded to f32.
const EXACT: f64 = 1e-3;

/// Largest `zero point / multiplier`, in steps: half of what 32 bits with a sign hold, so that the sums have room
/// beside it.
const LARGEST_OFFSET: f64 = (1u32 << 30) as f64;

/// Moves each scale of `weights` so that the multiplier from `input` to `output` has at most `bits` significant bits
/// after the leading one. A scale changes by at most `2^-(bits + 1)` of itself, or by `(NEARBY + 1/2) * 2^-bits` if
/// sums are kept in steps of `sum_step` integers. Scales whose multiplier is too small for the output's zero point are
/// raised first.
pub fn settle(weights: &mut Encoding, input: &Encoding, output: &Encoding, bits: u32, sum_step: Option<u32>) {
    let ratio = f64::from(input.scale[0]) / f64::from(output.scale[0]);
    let zero_point = output.zero_point[0] as f64;
    let (least, most) = output.integer.limits();
    let levels = (most - least) as f64;
    let least = sum_step.map_or(0.0, |step| zero_point / (f64::from(step) * LARGEST_OFFSET));
    for scale in &mut weights.scale {
        let multiplier = (f64::from(*scale) * ratio).max(least);
        let unit = (multiplier.log2().floor() - f64::from(bits)).exp2();
        let nearest = (multiplier / unit).round();
        // Both errors are in integers of the output.
        let error = |mantissa: f64, step: f64| {
            let shift = (zero_point / (mantissa * unit)).rem_euclid(step) * mantissa * unit;
            let change = (mantissa * unit / multiplier - 1.0) * TYPICAL * levels;
            shift * shift + change * change
        };
        let mut chosen = nearest;
        // A multiplier that is exact was settled before, and stays.
        let settled = (multiplier / unit - nearest).abs() < EXACT;
        if let Some(step) = sum_step.map(f64::from).filter(|_| !settled) {
            for away in 1..=NEARBY {
                for other in [nearest - f64::from(away), nearest + f64::from(away)] {
                    // Outside these ends the exponent changes, and with it the unit.
                    let exact = other >= f64::from(bits).exp2() && other <= f64::from(bits + 1).exp2();
                    if exact && error(other, step) < error(chosen, step) {
                        chosen = other;
                    }
                }
            }
        }
        *scale = (chosen * unit / ratio) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::IntegerType;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn multipliers_are_short_and_scales_hardly_move(
            scales in prop::collection::vec(1e-9f32..10.0, 1..20),
            input in 1e-6f32..10.0,
            output in 1e-6f32..10.0,
            zero_point in 0i64..65536,
            bits in 4u32..12,
        ) {
            let of = |scale: Vec<f32>| Encoding {
                integer: IntegerType::Int8, zero_point: vec![0; scale.len()], scale, axis: Some(0), block: None,
            };
            let (before, input, mut output) = (of(scales), of(vec![input]), of(vec![output]));
            output.zero_point = vec![zero_point];
            for (step, most) in [(None, 0.5), (Some(256), 2.5)] {
                let mut after = before.clone();
                settle(&mut after, &input, &output, bits, step);
                let mut again = after.clone();
                settle(&mut again, &input, &output, bits, step);
                prop_assert_eq!(&again, &after);
                for (before, after) in before.scale.iter().zip(&after.scale) {
                    prop_assert!((after / before - 1.0).abs() <= most * 0.5f32.powi(bits as i32) * 1.01);
                    let multiplier = f64::from(*after) * f64::from(input.scale[0]) / f64::from(output.scale[0]);
                    let mantissa = multiplier / multiplier.log2().floor().exp2() * f64::from(1 << bits);
                    prop_assert!((mantissa - mantissa.round()).abs() < 1e-3, "{mantissa}");
                }
            }
        }
    }

    fn of(integer: IntegerType, scale: Vec<f32>, zero_point: i64) -> Encoding {
        Encoding { integer, zero_point: vec![zero_point; scale.len()], scale, axis: Some(0), block: None }
    }

    #[test]
    fn a_channel_that_is_nearly_zero_gets_a_multiplier_that_the_zero_point_fits_into() {
        let (input, output) = (of(IntegerType::Uint16, vec![5e-5], 0), of(IntegerType::Uint16, vec![1e-4], 33_858));
        let mut weights = of(IntegerType::Int8, vec![1e-3, 1e-12], 0);
        settle(&mut weights, &input, &output, 10, Some(256));
        let offset = |scale: f32| 33_858.0 / (f64::from(scale) * 0.5) / 256.0;
        assert!((weights.scale[0] / 1e-3 - 1.0).abs() < 0.01, "{weights:?}");
        assert!(offset(weights.scale[1]) < f64::from(1 << 30) * 1.01, "{weights:?}");
    }

    #[test]
    fn of_the_multipliers_nearby_those_that_lose_little_of_the_zero_point_are_taken() {
        let (input, output) = (of(IntegerType::Uint16, vec![1.0], 0), of(IntegerType::Uint16, vec![1.0], 30_000));
        // What is cut off, in integers of the output.
        let lost = |weights: &Encoding| -> f64 {
            weights.scale.iter().map(|&scale| (30_000.0 / f64::from(scale)).rem_euclid(256.0) * f64::from(scale)).sum()
        };
        let scales: Vec<f32> = (0..100).map(|index| 0.2 + 0.0037 * index as f32).collect();
        let (mut near, mut best) = (of(IntegerType::Int8, scales.clone(), 0), of(IntegerType::Int8, scales, 0));
        settle(&mut near, &input, &output, 10, None);
        settle(&mut best, &input, &output, 10, Some(256));
        assert!(lost(&best) < lost(&near) / 2.0, "{} {}", lost(&best), lost(&near));
    }
}
