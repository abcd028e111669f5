//! Weights of 16 bits, written as two of 8 bits with a product each.
//!
//! Some chips multiply with weights of at most 8 bits. A weight `w` of 16 bits is `257 high + low` there, and the node
//! becomes two, whose outputs are added: `x w = x (257 high) + x low`. This is about integers only, and so it is done
//! where they are written.
//!
//! The output of the node with `high` has 257/256 of the output's scale: so its multiplier is 256 times that of the whole,
//! which fits the chip where that of the whole does. The other output has a power of two of the output's scale, for the
//! same reason.

use autoneural_onnx::NodeProto;

use super::names::{float_name, read_name};
use super::nodes;
use super::proto::node;
use autoneural_base::error::Result;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::ir::{Graph, Node};
use autoneural_core::quantize::{STEPS, WRAPS};

/// The halves, by what is behind a name.
pub(crate) const HALVES: [&str; 2] = ["high", "low"];
/// The middle of 16 bits.
const MIDDLE: i64 = 1 << 15;
/// Powers of two of the output's scale that the smaller output may have. A scale above that of the output adds nothing to
/// its errors that would count, and one below a 64th takes nothing away.
const SHARES: std::ops::RangeInclusive<i32> = -6..=4;

/// The halves of codes of 16 bits. 256 codes of 8 bits stand for 257 steps, so that one code of 257 becomes one less.
pub(crate) fn halves(codes: &[i32]) -> [Vec<i32>; 2] {
    let steps = STEPS as i32;
    let high: Vec<i32> = codes.iter().map(|code| (code + steps.div_euclid(2)).div_euclid(steps).min(127)).collect();
    let low = codes.iter().zip(&high).map(|(code, high)| (code - steps * high).min(127)).collect();
    [high, low]
}

/// The encodings of the halves of weights.
pub(crate) fn of_weights(whole: &Encoding) -> [Encoding; 2] {
    let of = |steps: f32| {
        let scale = whole.scale.iter().map(|scale| scale * steps).collect();
        Encoding { integer: IntegerType::Int8, scale, ..whole.clone() }
    };
    [of(STEPS as f32), of(1.0)]
}

/// The encoding of a bias, which goes with the larger half.
pub(crate) fn of_bias(whole: &Encoding) -> Encoding {
    Encoding { scale: whole.scale.iter().map(|scale| scale * STEPS as f32).collect(), ..whole.clone() }
}

/// The encodings of what both nodes make, from that of their sum. No output of the second is larger than `most`;
/// `multiplier` is the least of the whole from sums to outputs. Those for which some kernels wrap around are avoided
/// ([`WRAPS`]).
pub(crate) fn of_sums(whole: &Encoding, most: f64, multiplier: f64) -> [Encoding; 2] {
    let high = Encoding { scale: vec![whole.scale[0] * (STEPS as f32 / (STEPS - 1) as f32)], ..whole.clone() };
    let fits = |share: &i32| {
        let factor = f64::from(*share).exp2();
        most <= f64::from(whole.scale[0]) * factor * (MIDDLE - 1) as f64
            && !(WRAPS.0..WRAPS.1).contains(&(multiplier / factor))
    };
    let share = SHARES.into_iter().find(fits).unwrap_or(*SHARES.end());
    let low =
        Encoding { scale: vec![whole.scale[0] * (share as f32).exp2()], zero_point: vec![MIDDLE], ..whole.clone() };
    [high, low]
}

/// What the smaller half of weights can add up to, by output channel.
pub(crate) struct Reach(Vec<[f64; 2]>);

/// Standard deviations of a sum of independent numbers that it does not leave.
const SPREAD: f64 = 4.0;

impl Reach {
    /// Of the codes of the smaller half.
    pub(crate) fn of(encoding: &Encoding, codes: &[i32], (shape, channels): (&[usize], Option<usize>)) -> Self {
        let inner: usize = channels.map_or(1, |axis| shape[axis + 1..].iter().product());
        // Sums of the codes, of their magnitudes and of their squares.
        let mut sums = vec![[0.0f64; 3]; channels.map_or(1, |axis| shape[axis])];
        for (at, &code) in codes.iter().enumerate() {
            let (channel, code) = (at / inner % sums.len(), f64::from(code));
            let [sum, magnitude, square] = &mut sums[channel];
            (*sum, *magnitude, *square) = (*sum + code, *magnitude + code.abs(), *square + code * code);
        }
        let of = |(channel, [sum, magnitude, square]): (usize, &[f64; 3])| {
            let scale = f64::from(encoding.scale[channel.min(encoding.scale.len() - 1)]);
            // What is left by rounding is of either sign, whatever the weights are.
            [sum.abs() * scale, magnitude.min(SPREAD * square.sqrt()) * scale]
        };
        Reach(sums.iter().enumerate().map(of).collect())
    }

    /// The largest output for inputs of this range.
    pub(crate) fn most(&self, [low, high]: [f32; 2]) -> f64 {
        let (low, high) = (f64::from(low), f64::from(high));
        let (middle, half) = ((low + high).abs() / 2.0, (high - low) / 2.0);
        self.0.iter().map(|[sum, spread]| sum * middle + spread * half).fold(0.0, f64::max)
    }
}

/// Name of what the node with a half makes, from that of the whole.
pub(crate) fn sum_name(whole: &str, half: &str) -> String {
    format!("{whole}/sum.{half}")
}

/// The nodes that a node with such weights becomes; the last makes the float of what it makes.
///
/// # Errors
/// A composite operator: legalization was not run.
pub(crate) fn nodes(graph: &Graph, ir: &Node) -> Result<Vec<NodeProto>> {
    let (mut made, mut sums) = (Vec::new(), Vec::new());
    for half in HALVES {
        // The bias is added once.
        let read = if half == HALVES[0] { &ir.inputs[..] } else { &ir.inputs[..2] };
        let mut inputs = vec![read_name(graph, read[0])];
        inputs.extend(read[1..].iter().map(|&id| format!("{}/{half}/dq", graph.value(id).name)));
        let shapes: Vec<_> = read.iter().map(|&id| &graph.value(id).shape).collect();
        let sum = sum_name(&graph.value(ir.outputs[0]).name, half);
        let one = Node { name: format!("{}/{half}", ir.name), ..ir.clone() };
        made.extend(nodes::emit(&one, &shapes, inputs, vec![sum.clone()])?.0);
        for (op, from, to) in [
            ("QuantizeLinear", sum.clone(), format!("{sum}/q")),
            ("DequantizeLinear", format!("{sum}/q"), format!("{sum}/dq")),
        ] {
            let inputs = vec![from, format!("{sum}/scale"), format!("{sum}/zero_point")];
            made.push(node(op, &format!("{to}/node"), inputs, vec![to], vec![]));
        }
        sums.push(format!("{sum}/dq"));
    }
    made.push(node("Add", &ir.name, sums, vec![float_name(graph, ir.outputs[0])], vec![]));
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_together_are_the_whole() {
        let codes: Vec<i32> = (-32767..=32767).collect();
        let [high, low] = halves(&codes);
        for ((code, high), low) in codes.iter().zip(&high).zip(&low) {
            assert!((-128..=127).contains(high) && (-128..=127).contains(low), "{code}: {high}, {low}");
            let lost = i32::from((code + 128).rem_euclid(257) == 256);
            assert_eq!(257 * high + low, code - lost);
        }
    }

    #[test]
    fn the_smaller_half_reaches_as_far_as_its_inputs_make_it() {
        let scale = vec![0.5, 2.0];
        let encoding =
            Encoding { integer: IntegerType::Int16, zero_point: vec![0; 2], scale, axis: Some(0), block: None };
        let reach = Reach::of(&encoding, &[3, -4, 1, 1], (&[2, 2], Some(0)));
        // By hand: 0.5 x 7 with inputs of either sign, 2 x 2 with those above zero.
        assert_eq!(reach.most([-1.0, 1.0]), 4.0);
        assert_eq!(reach.most([0.0, 1.0]), 4.0);
        let reach = Reach::of(&encoding, &[3, -4, 0, 0], (&[2, 2], Some(0)));
        assert_eq!((reach.most([-1.0, 1.0]), reach.most([0.0, 1.0])), (3.5, 2.0));
    }

    #[test]
    fn multipliers_of_halves_are_as_short_as_that_of_the_whole() {
        let of = |integer, scale, zero_point| Encoding {
            integer,
            scale: vec![scale],
            zero_point: vec![zero_point],
            axis: None,
            block: None,
        };
        let (weights, sum) = (of(IntegerType::Int16, 3e-6, 0), of(IntegerType::Uint16, 2e-4, 777));
        for most in [0.0, 0.01, 1.0, 6.0, 1e9] {
            let halves = of_weights(&weights).into_iter().zip(of_sums(&sum, most, 1e-3));
            for (weights_of, sum_of) in halves {
                let factor = f64::from(weights_of.scale[0]) / f64::from(sum_of.scale[0]) / (3e-6 / 2e-4);
                assert!((factor.log2() - factor.log2().round()).abs() < 1e-6, "{factor}");
            }
        }
        let [high, low] = of_sums(&sum, 1.0, 1e-3);
        assert_eq!((high.zero_point[0], low.zero_point[0]), (777, 1 << 15));
        // Nothing is cut off, and little of the range is left.
        let reach = |low: &Encoding| low.scale[0] * 32767.0;
        assert!((1.0..2.0).contains(&reach(&low)), "{low:?}");
        // A scale for which outputs would wrap around is left out.
        let wraps = 1.5 * WRAPS.0 * f64::from(low.scale[0] / sum.scale[0]);
        let [_, low] = of_sums(&sum, 1.0, wraps);
        assert!((2.0..4.0).contains(&reach(&low)), "{low:?}");
    }
}
