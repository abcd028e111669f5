//! Floating-point numbers of 8 bits (Micikevicius et al., arXiv 2209.05433), and the scale factors that weights of this
//! type are stored with.

use half::f16;

/// The number that these bits stand for in E4M3: 4 bits of exponent, 3 of fraction, no infinity.
pub(crate) fn e4m3(bits: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(bits >> 3 & 0xf), f32::from(bits & 0x7));
    let size = match exponent {
        _ if bits & 0x7f == 0x7f => f32::NAN,
        0 => mantissa / 512.0,
        _ => (1.0 + mantissa / 8.0) * 2f32.powi(exponent - 7),
    };
    if bits & 0x80 == 0 { size } else { -size }
}

/// The number that these bits stand for in E5M2: 5 bits of exponent, 2 of fraction, which are the upper half of an IEEE
/// half-precision number.
pub(crate) fn e5m2(bits: u8) -> f32 {
    f16::from_bits(u16::from(bits) << 8).to_f32()
}

/// Multiplies each block of a row-major tensor by one factor. The factors are row-major over the grid of blocks; the
/// last block of an axis may be shorter.
pub(crate) fn scale_blocks(values: &mut [f32], shape: &[usize], block: &[usize], factors: &[f32]) {
    let (Some((&last, outer)), Some((&width, heights))) = (shape.split_last(), block.split_last()) else {
        values.iter_mut().for_each(|value| *value *= factors[0]);
        return;
    };
    let across = last.div_ceil(width);
    for (row, values) in values.chunks_exact_mut(last).enumerate() {
        // From the last of the outer axes to the first.
        let (mut rest, mut first, mut step) = (row, 0, across);
        for (&size, &height) in outer.iter().zip(heights).rev() {
            first += rest % size / height * step;
            step *= size.div_ceil(height);
            rest /= size;
        }
        for (values, factor) in values.chunks_mut(width).zip(&factors[first..]) {
            values.iter_mut().for_each(|value| *value *= factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_stand_for_the_numbers_of_the_format() {
        for (bits, number) in
            [(0x00, 0.0), (0x38, 1.0), (0x7e, 448.0), (0xb8, -1.0), (0x01, 0.001953125), (0x08, 0.015625)]
        {
            assert_eq!(e4m3(bits), number, "{bits:x}");
        }
        assert!(e4m3(0x7f).is_nan() && e4m3(0xff).is_nan());
        for (bits, number) in
            [(0x3c, 1.0), (0x7b, 57344.0), (0xbc, -1.0), (0x01, 2f32.powi(-16)), (0x7c, f32::INFINITY)]
        {
            assert_eq!(e5m2(bits), number, "{bits:x}");
        }
        assert!(e5m2(0x7e).is_nan());
    }

    #[test]
    fn blocks_at_the_edge_are_shorter() {
        let mut values = vec![1.0; 15];
        scale_blocks(&mut values, &[3, 5], &[2, 2], &[1., 2., 3., 4., 5., 6.]);
        assert_eq!(values, [1., 1., 2., 2., 3., 1., 1., 2., 2., 3., 4., 4., 5., 5., 6.]);
        let mut values = vec![1.0; 8];
        scale_blocks(&mut values, &[2, 2, 2], &[1, 2, 2], &[3., 5.]);
        assert_eq!(values, [3., 3., 3., 3., 5., 5., 5., 5.]);
    }
}
