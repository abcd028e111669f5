//! Integers of 16 bits in terms of 8.

use crate::encoding::{Encoding, IntegerType};

/// Steps of 16 bits in one of 8 bits, over the same range.
pub const STEPS: u32 = 257;

/// The upper 8 bits of 16: the same range with one scale, in steps of [`STEPS`].
pub fn in_8_bits(whole: &Encoding) -> Encoding {
    let steps = i64::from(STEPS);
    Encoding {
        integer: IntegerType::Uint8,
        scale: vec![whole.scale[0] * STEPS as f32],
        zero_point: vec![(whole.zero_point[0] + steps / 2) / steps],
        axis: None,
        block: None,
    }
}
