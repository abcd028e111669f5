//! Weight scales that a target's integer arithmetic can follow.
//!
//! The sums of a convolution or matrix product are brought to the output's encoding by multiplying with
//! `input scale x weight scale / output scale`, once per channel. Where the hardware keeps only some significant bits of that
//! multiplier, the whole channel is off by the rest: up to 0.4 %, or 53 dB, on the SA8295P. A weight scale is ours to choose,
//! so it is moved by that little, and the multiplier becomes one that the hardware holds exactly.

use crate::encoding::Encoding;

/// Moves each scale of `weights` to the nearest with which the multiplier from `input` to `output` has at most `bits`
/// significant bits behind the leading one. A scale moves by at most `2^-(bits + 1)` of itself.
pub fn settle(weights: &mut Encoding, input: &Encoding, output: &Encoding, bits: u32) {
    let ratio = f64::from(input.scale[0]) / f64::from(output.scale[0]);
    for scale in &mut weights.scale {
        let multiplier = f64::from(*scale) * ratio;
        let unit = (multiplier.log2().floor() - f64::from(bits)).exp2();
        *scale = ((multiplier / unit).round() * unit / ratio) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::IntegerType;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn multipliers_are_short_and_scales_hardly_move(
            scales in prop::collection::vec(1e-9f32..10.0, 1..20),
            input in 1e-6f32..10.0,
            output in 1e-6f32..10.0,
            bits in 4u32..12,
        ) {
            let of = |scale: Vec<f32>| Encoding {
                integer: IntegerType::Int8, zero_point: vec![0; scale.len()], scale, axis: Some(0), block: None,
            };
            let (before, input, output) = (of(scales), of(vec![input]), of(vec![output]));
            let mut after = before.clone();
            settle(&mut after, &input, &output, bits);
            for (before, after) in before.scale.iter().zip(&after.scale) {
                prop_assert!((after / before - 1.0).abs() <= 0.5f32.powi(bits as i32 + 1) * 1.01);
                let multiplier = f64::from(*after) * f64::from(input.scale[0]) / f64::from(output.scale[0]);
                let mantissa = multiplier / multiplier.log2().floor().exp2() * f64::from(1 << bits);
                prop_assert!((mantissa - mantissa.round()).abs() < 1e-3, "{mantissa}");
            }
            let mut again = after.clone();
            settle(&mut again, &input, &output, bits);
            prop_assert_eq!(again, after);
        }
    }
}
