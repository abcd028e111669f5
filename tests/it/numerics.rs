//! Properties of encodings that hold for every range and every number.

use autoneural::encoding::{Encoding, IntegerType};
use autoneural::ir::permute;
use proptest::prelude::*;

fn unsigned() -> impl Strategy<Value = IntegerType> {
    prop_oneof![Just(IntegerType::Uint8), Just(IntegerType::Uint16)]
}

fn signed() -> impl Strategy<Value = IntegerType> {
    prop_oneof![Just(IntegerType::Int4), Just(IntegerType::Int8), Just(IntegerType::Int16)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn zero_is_exact_in_every_range(integer in unsigned(), low in -1e6f32..1e6, high in -1e6f32..1e6) {
        let encoding = Encoding::of_range(integer, low.min(high), low.max(high));
        let codes = encoding.quantize(&[0.0], &[1]);
        prop_assert_eq!(encoding.dequantize(&codes, &[1]), vec![0.0]);
    }

    #[test]
    fn a_number_in_range_comes_back_within_half_a_step(
        integer in unsigned(), low in -1e4f32..-1e-3, high in 1e-3f32..1e4, at in 0.0f32..1.0,
    ) {
        let encoding = Encoding::of_range(integer, low, high);
        let value = low + (high - low) * at;
        let codes = encoding.quantize(&[value], &[1]);
        let back = encoding.dequantize(&codes, &[1])[0];
        // The zero point is rounded, so the ends may be half a step off; one more rounding is that of f32.
        prop_assert!((back - value).abs() <= encoding.scale[0] * 1.01, "{} became {}", value, back);
        let inside = encoding.range()[0] <= value && value <= encoding.range()[1];
        prop_assert!(!inside || (back - value).abs() <= encoding.scale[0] * 0.5005 + value.abs() * 1e-6);
    }

    #[test]
    fn a_zero_point_on_a_step_leaves_the_range_covered_and_hardly_wider(
        low in -1e4f32..-1e-3, high in 1e-3f32..1e4, bits in 1u32..9,
    ) {
        let step = 1i64 << bits;
        let encoding = Encoding::of_range_with_step(IntegerType::Uint16, low, high, step);
        let [least, most] = encoding.range();
        prop_assert_eq!(encoding.zero_point[0] % step, 0);
        let free = Encoding::of_range(IntegerType::Uint16, low, high);
        // Half a step at the end that is nearer to zero is much of what that end has.
        let lopsided = free.zero_point[0].min(65535 - free.zero_point[0]) < 4 * step;
        prop_assert!(least <= low * 0.9999 && most >= high * 0.9999, "{least}..{most} for {low}..{high}");
        prop_assert!(lopsided || encoding.scale[0] <= free.scale[0] * 1.15, "{} {}", encoding.scale[0], free.scale[0]);
    }

    #[test]
    fn what_lies_outside_saturates(integer in unsigned(), high in 1e-3f32..1e3, factor in 1.5f32..1e6) {
        let encoding = Encoding::of_range(integer, -high, high);
        let (least, most) = integer.limits();
        let codes = encoding.quantize(&[high * factor, -high * factor, f32::MAX, f32::MIN], &[4]);
        prop_assert_eq!(codes, [most, least, most, least].map(|code| code as i32));
    }

    #[test]
    fn codes_keep_the_order_of_numbers(integer in unsigned(), a in -10f32..10.0, b in -10f32..10.0) {
        let encoding = Encoding::of_range(integer, -4.0, 6.0);
        let codes = encoding.quantize(&[a.min(b), a.max(b)], &[2]);
        prop_assert!(codes[0] <= codes[1]);
    }

    #[test]
    fn weights_of_each_channel_come_back_within_half_of_its_own_step(
        integer in signed(), values in prop::collection::vec(-100f32..100.0, 12),
    ) {
        let magnitude = |channel: usize| (0..4).map(|i| values[channel * 4 + i].abs()).fold(0.0, f32::max);
        let encoding = Encoding::symmetric(integer, &[magnitude(0), magnitude(1), magnitude(2)], Some(0));
        let codes = encoding.quantize(&values, &[3, 4]);
        let (_, most) = integer.limits();
        // The most negative integer is not used: the range is symmetric.
        prop_assert!(codes.iter().all(|&code| i64::from(code).abs() <= most));
        for (at, (&value, back)) in values.iter().zip(encoding.dequantize(&codes, &[3, 4])).enumerate() {
            let most = encoding.scale[at / 4] * 0.5005 + value.abs() * 1e-6;
            prop_assert!((value - back).abs() <= most, "{} became {}", value, back);
        }
    }

    #[test]
    fn a_permutation_and_its_inverse_give_the_tensor_back(
        shape in prop::collection::vec(1usize..5, 4), perm in Just([0usize, 1, 2, 3]).prop_shuffle(),
    ) {
        let values: Vec<usize> = (0..shape.iter().product()).collect();
        let there = permute(&values, &shape, &perm);
        let permuted: Vec<usize> = perm.iter().map(|&axis| shape[axis]).collect();
        let mut back = [0; 4];
        perm.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        prop_assert_eq!(permute(&there, &permuted, &back), values);
    }
}
