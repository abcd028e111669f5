//! Biases for a chip that keeps sums in steps of several integers.
//!
//! Such a chip cuts two parts of a sum off to a step, downwards: the sum of the products, which loses half a step on
//! average, and `bias + output zero point / multiplier`, which is the same for all of a channel and loses up to one step.
//! (Measured on the SA8295P with one convolution, 64 biases, zero points and multipliers: the means of all channels follow
//! this within 10 of 256 integers.) So every channel is off by about a step, always downwards, and a network with many
//! convolutions adds it up. Both are made up for: the model holds a bias that the chip can keep, nearest to what it should
//! be, and the chip is given it a step higher, so that its constant part lies in the middle of a step.

use super::blocks::channel_scales;
use super::forms::{Forms, is_wide};
use super::table::Table;
use super::weights::weight;
use crate::encoding::IntegerType;
use crate::ir::ops::InputKind;
use crate::ir::{Graph, Node};
use crate::target::Target;

/// What a chip cuts off of a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct CutOff {
    /// Integers that the chip cuts off of what it is given: one step.
    pub step: u32,
    /// `output zero point / multiplier` of each channel, or of all.
    constants: Vec<f64>,
}

/// Most constant parts that are known to a fraction of a step: scales are f32.
const KNOWN: f64 = (1u64 << 29) as f64;

impl CutOff {
    /// For the integers of a bias those that the chip can keep.
    pub fn codes(&self, bias: &[i32]) -> Vec<i32> {
        let step = f64::from(self.step);
        let nearest = |(channel, &code): (usize, &i32)| {
            let constant = self.constants[channel % self.constants.len()];
            let kept = ((f64::from(code) + constant) / step + 0.5).round() * step;
            (kept - step / 2.0 - constant).round() as i32
        };
        bias.iter().enumerate().map(nearest).collect()
    }
}

impl Forms {
    /// The position of a node's bias among its inputs, and what the chip cuts off of it, if it does.
    pub fn cut_off(&self, graph: &Graph, node: &Node, table: &Table) -> Option<(usize, CutOff)> {
        let at = node.op.signature().position(InputKind::Bias)?;
        let sums = self.sums.iter().find(|sums| sums.operator == node.op.name())?;
        let bias = table.params.get(&graph.value(*node.inputs.get(at)?).name)?;
        if bias.integer != IntegerType::Int32 || !is_wide(graph, node, table) || self.pair(graph, node, table).is_some()
        {
            return None;
        }
        let made = table.activations.get(&graph.value(node.outputs[0]).name)?;
        let constants = bias.scale.iter().map(|&scale| {
            let multiplier = exact(f64::from(scale) / f64::from(made.scale[0]), sums.bits);
            made.zero_point[0] as f64 / multiplier
        });
        let constants: Vec<f64> = constants.collect();
        constants.iter().all(|constant| constant.abs() < KNOWN).then_some((at, CutOff { step: sums.step, constants }))
    }
}

/// The step in which a chip keeps the sums of each output channel of a node with weights, in the units of what the node
/// makes: `step x input scale x scale of the channel`. `None` where sums are kept whole.
pub fn steps_of_sums(target: &Target, graph: &Graph, node: &Node, table: &Table) -> Option<Vec<f64>> {
    let step = f64::from(target.operator(node.op.name())?.sum_step?);
    let value = weight(graph, node)?;
    let weights = table.params.get(&value.name)?;
    let axes = node.op.weight_axes(value.shape.len())?;
    let data = node.op.signature().position(InputKind::Data)?;
    let input = table.activations.get(&graph.value(*node.inputs.get(data)?).name)?;
    let of_channel = |scale: f32| step * f64::from(input.scale[0]) * f64::from(scale);
    is_wide(graph, node, table)
        .then(|| channel_scales(weights, &value.shape, axes).into_iter().map(of_channel).collect())
}

/// Mean square of what steps of sums take from what a node makes, in its units; 0 where sums are kept whole.
///
/// A sum loses up to a step downwards, evenly spread. With a bias its mean is made up for, and a twelfth of the square of a
/// step is left. Without one both means stay, of the products and of the constant parts: a whole step together, and twice a
/// twelfth of its square around it. (Measured on the SA8295P, 256 random inputs: 0.07 to 0.10 in convolutions with biases,
/// 0.8 to 1.4 in matrix products, which have none.)
pub fn lost_to_steps(target: &Target, graph: &Graph, node: &Node, table: &Table) -> f64 {
    let Some(steps) = steps_of_sums(target, graph, node, table) else { return 0.0 };
    let has_bias = node.op.signature().position(InputKind::Bias).is_some_and(|at| node.inputs.len() > at);
    let share = if has_bias { 1.0 / 12.0 } else { 1.0 + 2.0 / 12.0 };
    share * steps.iter().map(|step| step * step).sum::<f64>() / steps.len().max(1) as f64
}

/// A multiplier with as many bits behind the leading one as the chip keeps.
fn exact(multiplier: f64, bits: Option<u32>) -> f64 {
    let Some(bits) = bits else { return multiplier };
    let unit = (multiplier.log2().floor() - f64::from(bits)).exp2();
    (multiplier / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the chip makes of what it is given: the constant part cut off, and half a step less for the products.
    fn of_chip(given: i32, constant: f64, step: u32) -> f64 {
        let step = f64::from(step);
        ((f64::from(given) + constant) / step).floor() * step - constant - step / 2.0
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn the_chip_computes_what_is_meant(
            bias in -(1i32 << 30)..1 << 30,
            constant in 0.0..KNOWN,
            shift in 4u32..10,
        ) {
            let step = 1 << shift;
            let kept = CutOff { step, constants: vec![constant] }.codes(&[bias])[0];
            prop_assert!((i64::from(kept) - i64::from(bias)).unsigned_abs() <= u64::from(step) / 2 + 1, "{kept} {bias}");
            let made = of_chip(kept + step as i32, constant, step);
            prop_assert!((made - f64::from(kept)).abs() <= 0.5 + 1e-3, "{made} {kept}");
        }
    }
}
