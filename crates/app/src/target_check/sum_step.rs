//! The experiment for `sum_step`: a layer of which all channels have the same integers and scales of their own. What a chip
//! cuts off of their sums then differs in one part alone, which is known: output zero point / multiplier.

use super::sample::Sample;
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{Builder, Constant, ElementType, Graph, ops};
use autoneural_core::quantize::Table;

/// Channels with a scale of their own.
const CHANNELS: usize = 64;
/// Rows, whose errors of rounding are averaged away: a step of the output is some hundred integers of a sum.
const SIDE: usize = 64;
/// The integers of a channel. Their sum is zero, so that the input's zero point takes no part.
const INTEGERS: [f32; 8] = [127.0, -127.0, 64.0, -64.0, 31.0, -31.0, 5.0, -5.0];
/// The largest step that is looked for, as a power of two.
const MOST: u32 = 12;

/// The layer with its input; `None` for operators that have no sums or have no such graph here.
///
/// # Errors
/// The graph cannot be built, which is a defect.
pub(crate) fn sample(operator: &str) -> Result<Option<Sample>> {
    let mut b = Builder::new("alone");
    let weight = |channel: usize, integer: f32| integer * (1.0 + channel as f32 / CHANNELS as f32) / 128.0;
    let made = match operator {
        "Conv" => {
            let x = b.input("x", vec![1, INTEGERS.len(), SIDE, SIDE], ElementType::F32)?;
            let weights = (0..CHANNELS).flat_map(|channel| INTEGERS.map(|integer| weight(channel, integer))).collect();
            let shape = vec![CHANNELS, INTEGERS.len(), 1, 1];
            let w = b.constant("w", Constant::from_values(weights, shape))?;
            b.node("y", ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] }, &[x, w])?
        }
        "MatMul" => {
            let x = b.input("x", vec![1, SIDE * SIDE, INTEGERS.len()], ElementType::F32)?;
            let row = |integer: f32| (0..CHANNELS).map(move |channel| weight(channel, integer));
            let weights = INTEGERS.into_iter().flat_map(row).collect();
            let w = b.constant("w", Constant::from_values(weights, vec![INTEGERS.len(), CHANNELS]))?;
            b.node("y", ops::MatMul, &[x, w])?
        }
        _ => return Ok(None),
    };
    Sample::uniform(b.finish(vec![made])).map(Some)
}

/// What was seen of each channel: the output zero point divided by the multiplier, and by how many integers of its sums
/// the NPU is off on average.
pub(crate) struct Seen(Vec<(f64, f64)>);

impl Seen {
    /// From the outputs of the CPU and of the NPU.
    ///
    /// # Errors
    /// The table is not that of the graph.
    pub(crate) fn new(graph: &Graph, table: &Table, [cpu, npu]: &[Vec<f32>; 2]) -> Result<Self> {
        let (x, y) = (table.activation("x")?, table.activation("y")?);
        let w = table.params.get("w").ok_or_else(|| Error::internal("w", "has no encoding"))?;
        let is_last = graph.outputs().iter().all(|id| graph.value(*id).shape.len() == 3);
        let channel = |at: usize| if is_last { at % CHANNELS } else { at / (SIDE * SIDE) % CHANNELS };
        let mut sums = vec![0f64; CHANNELS];
        for (at, (cpu, npu)) in cpu.iter().zip(npu).enumerate() {
            sums[channel(at)] += f64::from(*npu) - f64::from(*cpu);
        }
        let of = |(sum, scale): (f64, &f32)| {
            let unit = f64::from(x.scale[0]) * f64::from(*scale);
            (y.zero_point[0] as f64 * f64::from(y.scale[0]) / unit, sum / (SIDE * SIDE) as f64 / unit)
        };
        Ok(Seen(sums.into_iter().zip(&w.scale).map(of).collect()))
    }

    /// By how many integers the channels differ from a chip that keeps sums in such steps (root mean square): the constant
    /// part is cut off to a step, and the sum of the products by half a step on average, both downwards. A constant part
    /// is known to an integer, which decides where it is a whole number of steps.
    pub(crate) fn off(&self, step: u32) -> f64 {
        let wide = f64::from(step);
        let law = |constant: f64| match step {
            1 => 0.0,
            _ => (constant / wide).floor() * wide - constant - wide / 2.0,
        };
        let off = |(constant, seen): &(f64, f64)| {
            [-1.0, 0.0, 1.0].map(|more| (seen - law(constant + more)).abs()).into_iter().fold(f64::INFINITY, f64::min)
        };
        (self.0.iter().map(|channel| off(channel).powi(2)).sum::<f64>() / self.0.len().max(1) as f64).sqrt()
    }

    /// The power of two that is nearest to what was seen, and how far off it is; 1 is a chip that cuts nothing off.
    pub(crate) fn nearest(&self) -> (u32, f64) {
        let of = |power: u32| (1 << power, self.off(1 << power));
        (1..=MOST).map(of).fold(of(0), |best, other| if other.1 < best.1 { other } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_known_by_what_it_cuts_off() {
        let seen = |step: f64| {
            let of = |channel: usize| {
                let constant = 16_000_000.0 / (1.0 + channel as f64 / 64.0);
                let cut = if step > 1.0 { (constant / step).floor() * step - constant - step / 2.0 } else { 0.0 };
                (constant, cut + (channel % 7) as f64 - 3.0)
            };
            Seen((0..64).map(of).collect())
        };
        for power in [0, 4, 8, 9] {
            let step = 1 << power;
            let found = seen(f64::from(step));
            assert_eq!(found.nearest().0, step);
            assert!(found.off(step) < 4.0 && found.off(2 * step) > f64::from(step) / 8.0, "{step}");
        }
    }
}
