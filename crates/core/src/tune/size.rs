//! Bytes of weights on the device.

use crate::encoding::scale_bytes;
use crate::ir::ops::Axes;
use crate::recipe::WeightBits;

/// Bytes of weights of this shape with their scales.
pub fn weight_bytes(bits: WeightBits, shape: &[usize], axes: Axes) -> u64 {
    let elements: u64 = shape.iter().map(|&size| size as u64).product();
    let channels = axes.output.map_or(1, |axis| shape[axis] as u64);
    let blocks = bits.block.map_or(0, |size| elements / (size as u64).max(1));
    bits.integer.bytes_of(shape) + scale_bytes(channels, blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::IntegerType;

    #[test]
    fn scales_are_counted() {
        let axes = Axes { output: Some(1), input: 0 };
        let of = |bits| weight_bytes(bits, &[64, 10], axes);
        assert_eq!(of(IntegerType::Int8.into()), 640 + 40);
        assert_eq!(of(IntegerType::Int4.into()), 320 + 40);
        assert_eq!(of(WeightBits { integer: IntegerType::Int4, block: Some(32) }), 320 + 40 + 20);
    }
}
