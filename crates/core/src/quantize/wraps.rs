//! Multipliers, from sums to outputs, that the chip does not compute with.
//!
//! The smallest it has room for is about 2^-24. Below, and where `output zero point / multiplier` and the bias together
//! fill 32 bits, a channel comes out at the other end of its range: the network behind it is lost, whatever the channel
//! was. (One convolution, with and without groups, outputs of 8 and 16 bits, zero points at both ends and in the middle,
//! biases up to 2^30: right down to 2^-22 on v68, to 2^-24 on v73.) A channel with a bias and hardly any weights, as
//! pruning leaves them, would get such a multiplier, so its scale is raised: its weights lose what is less than an
//! integer of the output.
//!
//! Depthwise convolutions with a stride choose one form for all channels, by the least multiplier from sums to outputs.
//! Where that lies in [`WRAPS`], outputs above `2^15 x mantissa of the multiplier` of other channels become zero (stride
//! 2, kernels of 2 to 7, onnxruntime-qnn 2.7.0, v68 and v73 alike; not with strides of 1 and 3, not without groups). So
//! the scales of channels that are so small are raised, by a factor of two at most, until the least multiplier lies
//! above.

use super::blocks::with_channel_scales;
use crate::encoding::Encoding;
use crate::ir::Op;

/// The least multiplier of a channel: 2^-22.
const LEAST: f64 = 1.0 / 4_194_304.0;

/// From where to where the least multiplier must not lie: from 2^-16 to 2^-15, with what rounding and settling of scales
/// change.
pub const WRAPS: (f64, f64) = (0.99 / 65536.0, 1.01 / 32768.0);

/// Raises the scales of channels whose multiplier is smaller than the chip has room for. `shape` is that of the weights.
pub(crate) fn raise(op: &Op, (weights, shape): (&mut Encoding, &[usize]), (input, output): (&Encoding, &Encoding)) {
    let Some(axes) = op.weight_axes(shape.len()) else { return };
    let least = LEAST * f64::from(output.scale[0]) / f64::from(input.scale[0]);
    with_channel_scales(weights, shape, axes, |weights| {
        weights.scale.iter_mut().for_each(|scale| *scale = f64::from(*scale).max(least) as f32);
    });
}

/// Raises scales of weights for which outputs would wrap around. The multiplier of what the chip computes is `factor` times
/// that of these weights.
pub(crate) fn clear(op: &Op, weights: &mut Encoding, (input, output): (&Encoding, &Encoding), factor: f64) {
    let Op::Conv(conv) = op else { return };
    if conv.groups == 1 || conv.strides == [1, 1] {
        return;
    }
    let ratio = factor * f64::from(input.scale[0]) / f64::from(output.scale[0]);
    let least = weights.scale.iter().map(|&scale| f64::from(scale) * ratio).fold(f64::INFINITY, f64::min);
    if !(WRAPS.0..WRAPS.1).contains(&least) {
        return;
    }
    for scale in &mut weights.scale {
        *scale = f64::from(*scale).max(WRAPS.1 / ratio) as f32;
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
