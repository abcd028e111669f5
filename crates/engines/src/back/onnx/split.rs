//! Products of two computed values of 16 bits, written as two products of 16 by 8 bits.
//!
//! Some chips read the second operand of such a product in 8 bits, whatever the model says: their compiler converts it.
//! So the second operand is written as the sum of two values of 8 bits, `b = high + low`: `high` is `b` in steps of 257
//! of its own, which are the 8 bits of its range, and `low` is what is left of it in steps of one. Then
//! `a b = a high + a low` holds but for the rounding of the two products. This is about integers only, and so it is done
//! where they are written: as real numbers `high` is `b`, and `low` is zero.
//!
//! All of it is in integers: what is left of `b` is made of two values of 16 bits, because differences of 16 and 8 bits are
//! computed in floating point.

use autoneural_onnx::NodeProto;

use super::names::{float_name, read_name};
use super::proto::node;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::ir::{Graph, Node};
use autoneural_core::quantize::{STEPS, in_8_bits};

/// The middle of 16 bits.
const MIDDLE: i64 = 1 << 15;
/// The product with what is left is at most 1/128 of the largest product where all numbers are largest. It gets this share
/// of the range, and loses nothing to its integers.
const LOW_SHARE: f32 = 1.0 / 16.0;
/// The product with `high` may be larger than the whole one by what the other takes away.
const HIGH_SHARE: f32 = 1.0 + LOW_SHARE / 4.0;

/// Values that stand between, by what is behind the product's name.
const PARTS: [&str; 6] = ["high", "high.wide", "rest", "low", "product.high", "product.low"];

/// The encodings of the values between, by name: from those of both operands and of the product. `bits` are those that the
/// chip keeps of a multiplier behind the leading one, if it does not keep enough.
///
/// The multiplier from sums to the product with `high` is one that the chip holds: the chip adds the zero point before it
/// multiplies, so that what a multiplier lacks moves all of the product, by `zero point x 2^-11` integers and more.
pub(crate) fn encodings(
    name: &str,
    [first, second, product]: [&Encoding; 3],
    bits: Option<u32>,
) -> Vec<(String, Encoding)> {
    let (step, high) = (second.scale[0], in_8_bits(second));
    let of = |integer, scale: f32, zero_point| Encoding {
        integer,
        scale: vec![scale],
        zero_point: vec![zero_point],
        axis: None,
        block: None,
    };
    let sums = f64::from(first.scale[0]) * f64::from(high.scale[0]);
    let mut of_high = product.scale[0] * HIGH_SHARE;
    if let Some(bits) = bits {
        let multiplier = sums / f64::from(of_high);
        let unit = (multiplier.log2().floor() - f64::from(bits)).exp2();
        of_high = (sums / ((multiplier / unit).floor() * unit)) as f32;
    }
    let made = [
        high.clone(),
        of(IntegerType::Uint16, step, high.zero_point[0] * i64::from(STEPS)),
        of(IntegerType::Uint16, step, MIDDLE),
        of(IntegerType::Uint8, step, 128),
        of(IntegerType::Uint16, of_high, product.zero_point[0]),
        of(IntegerType::Uint16, product.scale[0] * LOW_SHARE, MIDDLE),
    ];
    PARTS.iter().map(|part| format!("{name}/{part}")).zip(made).collect()
}

/// The nodes that such a product becomes; the last makes the float of what it makes.
pub(crate) fn nodes(graph: &Graph, ir: &Node) -> Vec<NodeProto> {
    let name = &graph.value(ir.outputs[0]).name;
    let [a, b] = [ir.inputs[0], ir.inputs[1]].map(|id| read_name(graph, id));
    let part = |part: &str| format!("{name}/{part}");
    let read = |of: &str| format!("{name}/{of}/dq");
    let mut made = Vec::new();
    let requantize = |made: &mut Vec<NodeProto>, of: &str, from: String| {
        let parameters = |from: String| vec![from, format!("{name}/{of}/scale"), format!("{name}/{of}/zero_point")];
        for (op, from, to) in [
            ("QuantizeLinear", from, format!("{name}/{of}/q")),
            ("DequantizeLinear", format!("{name}/{of}/q"), read(of)),
        ] {
            made.push(node(op, &format!("{to}/node"), parameters(from), vec![to], vec![]));
        }
    };
    let two = |op: &str, inputs: [String; 2], to: String| {
        node(op, &format!("{to}/node"), inputs.to_vec(), vec![to.clone()], vec![])
    };
    requantize(&mut made, "high", b.clone());
    requantize(&mut made, "high.wide", read("high"));
    made.push(two("Sub", [b, read("high.wide")], part("rest")));
    requantize(&mut made, "rest", part("rest"));
    requantize(&mut made, "low", read("rest"));
    for of in ["high", "low"] {
        let product = format!("product.{of}");
        made.push(two("MatMul", [a.clone(), read(of)], part(&product)));
        requantize(&mut made, &product, part(&product));
    }
    let whole = float_name(graph, ir.outputs[0]);
    made.push(node("Add", &ir.name, vec![read("product.high"), read("product.low")], vec![whole], vec![]));
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        /// Integer by integer: the sum of both parts is the whole, but for one step where 8 bits end, and the ends of the
        /// range.
        #[test]
        fn both_parts_together_are_the_whole(
            (zero_point, code) in (0i64..65536, 200i32..65335),
            scale in 1e-6f32..10.0,
        ) {
            let of = |zero_point| Encoding {
                integer: IntegerType::Uint16, scale: vec![scale], zero_point: vec![zero_point], axis: None, block: None,
            };
            let first = Encoding { scale: vec![scale * 3.7], ..of(11) };
            let product = Encoding { scale: vec![scale * scale * 53.0], ..of(7) };
            let second = of(zero_point);
            let parts = encodings("y", [&first, &second, &product], Some(10));
            // The multiplier of the larger part has eleven bits, and its range is a little wider.
            let multiplier = f64::from(first.scale[0]) * f64::from(parts[0].1.scale[0]) / f64::from(parts[4].1.scale[0]);
            let mantissa = multiplier / multiplier.log2().floor().exp2() * 1024.0;
            prop_assert!((mantissa - mantissa.round()).abs() < 1e-3 && parts[4].1.scale[0] > product.scale[0]);
            let through = |at: usize, value: f32| {
                let (name, encoding) = &parts[at];
                assert_eq!(*name, format!("y/{}", PARTS[at]));
                encoding.through(&[value], &[1])[0]
            };
            let whole = second.dequantize(&[code], &[1])[0];
            let high = through(0, whole);
            let rest = through(2, whole - through(1, high));
            let low = through(3, rest);
            prop_assert!((high + low - whole).abs() <= scale * 1.01 + whole.abs() * 1e-6, "{whole}: {high} and {low}");
        }
    }
}
