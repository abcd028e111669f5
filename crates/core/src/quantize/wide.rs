//! Operators between values of 8 and of 16 bits. Most chips compute an operator in one width of integers, so that the
//! operator is written in 16 bits, with a change of encoding at each value of 8 bits: what it reads is widened before, and
//! what it makes is narrowed behind it.

use super::steps::STEPS;
use crate::encoding::{Encoding, IntegerType};
use crate::target::{Activations, Operator};

/// Integers that such an operator is computed in.
const WIDE: IntegerType = IntegerType::Uint16;

/// Whether an operator that has these integers is written in 16 bits throughout: some have 8 bits, and the target does not
/// take them, or takes 8 and 16 bits together in floating point.
pub(crate) fn is_widened(operator: &Operator, activations: &Activations) -> bool {
    let is_narrow = |integer: &IntegerType| *integer == IntegerType::Uint8;
    let (is_mixed, has_narrow) = match activations {
        Activations::Same(integer) => (false, is_narrow(integer)),
        Activations::Mixed(inputs, output) => (true, inputs.iter().chain([output]).any(is_narrow)),
    };
    let in_fp16 = || operator.in_fp16.iter().any(|stated| stated.activations.as_ref() == Some(activations));
    has_narrow
        && operator.activations.contains(&Activations::Same(WIDE))
        && (!operator.activations.contains(activations) || is_mixed && in_fp16())
}

/// The integers that an operator is computed in.
pub(crate) fn computed(operator: &Operator, activations: Activations) -> Activations {
    if is_widened(operator, &activations) { Activations::Same(WIDE) } else { activations }
}

/// How an operator that is written in 16 bits reads a value: the same numbers in steps of 256, so that the zero point is
/// one that its sums lose nothing to, and the scale is exact.
pub fn in_steps_of_256(encoding: &Encoding) -> Encoding {
    in_steps(encoding, STEPS - 1)
}

/// What an operator that is written in 16 bits makes, before it is narrowed: the same range in steps of 257.
pub fn in_steps_of_257(encoding: &Encoding) -> Encoding {
    in_steps(encoding, STEPS)
}

fn in_steps(encoding: &Encoding, steps: u32) -> Encoding {
    if encoding.integer != IntegerType::Uint8 {
        return encoding.clone();
    }
    Encoding {
        integer: WIDE,
        scale: encoding.scale.iter().map(|scale| scale / steps as f32).collect(),
        zero_point: encoding.zero_point.iter().map(|zero| zero * i64::from(steps)).collect(),
        ..encoding.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    #[test]
    fn what_is_widened_is_what_the_chip_does_not_compute_in_integers() {
        let (target, _) = Target::find("sa8295p").unwrap();
        let of = |name: &str, text: &str| {
            let activations = Activations::try_from(text.to_string()).unwrap();
            is_widened(target.operator(name).unwrap(), &activations)
        };
        for (name, text, wanted) in [
            ("Conv", "uint8 -> uint16", true),
            ("Conv", "uint16 -> uint8", true),
            ("Conv", "uint8", false),
            ("Conv", "uint16", false),
            // Taken in fp16 alone.
            ("Add", "uint16 x uint8 -> uint16", true),
            // Taken in integers.
            ("MatMul", "uint16 x uint8 -> uint16", false),
            ("MatMul", "uint8 x uint16 -> uint16", true),
            ("Requantize", "uint16 -> uint8", false),
            // It has no 8 bits.
            ("LayerNormalization", "uint8", true),
            // It has no 16 bits.
            ("Log", "uint16 -> uint8", false),
        ] {
            assert_eq!(of(name, text), wanted, "{name}: {text}");
        }
    }

    #[test]
    fn every_number_of_8_bits_is_one_of_16() {
        let narrow = Encoding::of_range(IntegerType::Uint8, -0.7, 2.9);
        let codes: Vec<i32> = (0..256).collect();
        let real = narrow.dequantize(&codes, &[256]);
        for wide in [in_steps_of_256(&narrow), in_steps_of_257(&narrow)] {
            let there = wide.dequantize(&wide.quantize(&real, &[256]), &[256]);
            let most = real.iter().zip(&there).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 1e-6, "{most}");
            assert_eq!(narrow.quantize(&there, &[256]), codes);
        }
        assert_eq!(in_steps_of_256(&narrow).zero_point[0] % 256, 0);
        // The same range: an operator whose range is fixed keeps it.
        let [low, high] = in_steps_of_257(&narrow).range();
        let [own_low, own_high] = narrow.range();
        assert!((low - own_low).abs() < 1e-6 && (high - own_high).abs() < 1e-6);
        let wide = Encoding::of_range(IntegerType::Uint16, -0.7, 2.9);
        assert_eq!(in_steps_of_256(&wide), wide);
    }
}
