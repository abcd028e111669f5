//! Bytes of weights on the device.

use crate::ir::ops::Axes;
use crate::recipe::WeightBits;

/// Bytes of a scale of an output channel.
const SCALE: u64 = 4;
/// Bytes of the multiple of it that a block has (LPBQ).
const MULTIPLE: u64 = 1;

/// Bytes of weights of this shape with their scales: 4 for each output channel, and one more for each block.
pub fn weight_bytes(bits: WeightBits, shape: &[usize], axes: Axes) -> u64 {
    let elements: u64 = shape.iter().map(|&size| size as u64).product();
    let channels = axes.output.map_or(1, |axis| shape[axis] as u64);
    let blocks = bits.block.map_or(0, |size| elements / (size as u64).max(1));
    bits.integer.bytes_of(shape) + channels * SCALE + blocks * MULTIPLE
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
