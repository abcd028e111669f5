//! Zero points for which outputs of a convolution wrap around on the chip.
//!
//! Depthwise convolutions with a stride choose one form for all channels, by the largest `zero point / multiplier` of
//! them. Where that lies in [`WRAPS`], outputs above `2^15 x mantissa of the multiplier` of other channels become zero
//! (3x3 with stride 2, onnxruntime-qnn 2.7.0, v68 and v73 alike; not with a stride of 1, not without groups). So the scales of
//! the channels that are so small are raised, by a factor of two at most, until the largest lies below.

use crate::encoding::Encoding;
use crate::ir::Op;

/// From where to where the largest `zero point / multiplier` must not lie.
pub const WRAPS: (f64, f64) = (1_073_741_824.0, 2_147_483_648.0);
/// How far below it ends up, for what rounding and settling of scales change.
const BELOW: f64 = 0.99;

/// Raises scales of weights for which outputs would wrap around. The multiplier of what the chip computes is `factor` times
/// that of these weights.
pub(crate) fn clear(op: &Op, weights: &mut Encoding, (input, output): (&Encoding, &Encoding), factor: f64) {
    let Op::Conv(conv) = op else { return };
    if conv.groups == 1 || conv.strides == [1, 1] {
        return;
    }
    let ratio = factor * f64::from(input.scale[0]) / f64::from(output.scale[0]);
    let zero_point = output.zero_point[0] as f64;
    let offset = |scale: f32| zero_point / (f64::from(scale) * ratio);
    let largest = weights.scale.iter().map(|&scale| offset(scale)).fold(0.0, f64::max);
    if !(WRAPS.0 * BELOW..=WRAPS.1 / BELOW).contains(&largest) {
        return;
    }
    for scale in &mut weights.scale {
        if offset(*scale) > WRAPS.0 * BELOW {
            *scale = (zero_point / (WRAPS.0 * BELOW) / ratio) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::IntegerType;
    use crate::ir::ops;

    fn after(op: ops::Conv, scales: [f32; 3]) -> Vec<f32> {
        let of = |scale: Vec<f32>, zero_point| Encoding {
            integer: IntegerType::Uint16,
            zero_point: vec![zero_point; scale.len()],
            scale,
            axis: None,
            block: None,
        };
        let mut weights = of(scales.to_vec(), 0);
        clear(&op.into(), &mut weights, (&of(vec![1.0], 0), &of(vec![1.0], 1 << 15)), 1.0);
        weights.scale
    }

    #[test]
    fn only_the_least_scales_of_strided_depthwise_convolutions_move_out_of_the_gap() {
        let conv = |groups, stride| ops::Conv { strides: [stride; 2], pads: [0; 4], groups, dilations: [1, 1] };
        let at = |power: f32| power.exp2();
        let inside = [at(-10.0), at(-15.5), at(-15.1)];
        let made = after(conv(3, 2), inside);
        assert!(made[0] == inside[0] && made[1] == made[2] && made[1] > at(-15.0) && made[1] < at(-14.9), "{made:?}");
        for (op, scales) in [
            (conv(3, 1), inside),
            (conv(1, 2), inside),
            (conv(3, 2), [at(-10.0), at(-14.5), at(-14.9)]),
            (conv(3, 2), [at(-10.0), at(-17.0), at(-15.5)]),
        ] {
            assert_eq!(after(op, scales), scales);
        }
    }
}
