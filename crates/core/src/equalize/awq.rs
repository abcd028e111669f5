//! AWQ: the input channels that matter most get larger weights, so that rounding changes their share of the outputs less.

use ndarray::{Array2, Axis};

use super::factors::scaled;
use super::method::{Context, Equalizer};
use super::spots::{Spot, Spots};
use crate::evidence::{Ask, Observer, SecondMoments, Want};
use crate::ir::Constant;
use crate::passes::Frozen;
use crate::program::Group;
use crate::recipe::WeightBits;
use autoneural_base::error::{Error, Result};

/// Exponents that are tried lie between 0 and 1, in so many steps.
const STEPS: usize = 20;

/// Lin et al., arXiv 2306.00978, section 3.2: input channel `j` is multiplied by `x_j^e` in the weights and divided by it in
/// the value, where `x_j` is how large the value is there (here the root of its mean square), with the exponent `e` for
/// which the rounded weights change the outputs least. The outputs are judged by the second moments of the value, with
/// nearest integers and scales that hold every weight.
pub(crate) struct Awq;

impl Equalizer for Awq {
    fn name(&self) -> &'static str {
        "awq"
    }

    fn source(&self) -> &'static str {
        "Lin et al., arXiv 2306.00978"
    }

    fn wants(&self, group: &Group, graphs: &[&Frozen]) -> Result<Vec<Ask>> {
        Ok(Spots::find(group, graphs)?.all.iter().flat_map(|spot| spot.asks(group, Want::SecondMoments)).collect())
    }

    fn apply(&self, graphs: &[&Frozen], context: &Context) -> Result<Vec<Frozen>> {
        scaled(graphs, &Spots::find(context.group, graphs)?, |spot, known| {
            let moments = moments(spot, context)?;
            let sizes: Vec<f64> = (0..spot.channels).map(|at| f64::from(moments[[at, at]].max(0.0).sqrt())).collect();
            let readers: Vec<Array2<f32>> =
                spot.readers.iter().map(|(name, &axis)| by_input_channel(&known(name), axis)).collect();
            let mut best: Option<(f64, Vec<f32>)> = None;
            for step in 0..=STEPS {
                let powers = powers(&sizes, step as f64 / STEPS as f64);
                let lost: f64 = readers.iter().map(|one| lost(one, &powers, &moments, context.weights)).sum();
                if best.as_ref().is_none_or(|(least, _)| lost < *least) {
                    best = Some((lost, powers));
                }
            }
            Ok(best.map_or_else(|| vec![0.0; spot.channels], |(_, powers)| powers))
        })
    }
}

/// Mean products of every two channels of a spot's values, over all of its sites.
fn moments(spot: &Spot, context: &Context) -> Result<Array2<f32>> {
    let mut all: Option<SecondMoments> = None;
    for ask in spot.asks(context.group, Want::SecondMoments) {
        let Observer::SecondMoments(seen) = context.evidence.get(&ask)? else {
            return Err(Error::internal(&ask.site, "has evidence of another kind than was asked for"));
        };
        let Some(all) = &mut all else {
            all = Some(seen);
            continue;
        };
        if !all.merge(&seen) {
            return Err(Error::internal(&ask.site, "has rows of another size than what is scaled alike"));
        }
    }
    let all = all.filter(|all| all.width() == spot.channels);
    let all = all.ok_or_else(|| Error::internal(context.group.name(), "has a spot without values"))?;
    Ok(all.mean_products(0))
}

/// Logarithms (base 2) of the factors, with a mean of 0 over channels in which anything was seen.
fn powers(sizes: &[f64], exponent: f64) -> Vec<f32> {
    let exact: Vec<Option<f64>> = sizes.iter().map(|size| (*size > 0.0).then(|| exponent * size.log2())).collect();
    let count = exact.iter().flatten().count().max(1) as f64;
    let mean = exact.iter().flatten().sum::<f64>() / count;
    exact.into_iter().map(|one| one.map_or(0.0, |one| (one - mean) as f32)).collect()
}

/// Weights with a row for each input channel. What has a kernel has a column for each position of it, too.
fn by_input_channel(weights: &Constant, axis: usize) -> Array2<f32> {
    let (shape, values) = (weights.shape(), weights.to_f32());
    let (outer, inner): (usize, usize) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
    let channels = shape[axis];
    Array2::from_shape_fn((channels, outer * inner), |(channel, at)| {
        values[(at / inner * channels + channel) * inner + at % inner]
    })
}

/// What rounding changes in the outputs, as a mean of squares, if the weights are scaled by these powers of two and the
/// value by their inverse.
fn lost(weights: &Array2<f32>, powers: &[f32], moments: &Array2<f32>, bits: WeightBits) -> f64 {
    let (channels, columns) = weights.dim();
    let most = bits.integer.limits().1 as f32;
    let block = bits.block.filter(|block| *block > 0 && channels.is_multiple_of(*block)).unwrap_or(channels);
    let factors: Vec<f32> = powers.iter().map(|power| power.exp2()).collect();
    let mut changes = Array2::<f32>::zeros((channels, columns));
    for (column, mut changes) in changes.axis_iter_mut(Axis(1)).enumerate() {
        for first in (0..channels).step_by(block) {
            let own = first..first + block;
            let scale = own.clone().fold(0f32, |most, at| most.max((weights[[at, column]] * factors[at]).abs())) / most;
            for at in own.filter(|_| scale > 0.0) {
                let scaled = weights[[at, column]] * factors[at];
                changes[at] = ((scaled / scale).round_ties_even() * scale - scaled) / factors[at];
            }
        }
    }
    let products = moments.dot(&changes);
    products.iter().zip(&changes).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::IntegerType;

    #[test]
    fn a_channel_that_is_large_in_the_value_is_worth_a_factor() {
        // Two input channels: the first has small weights, and is large.
        let weights = Array2::from_shape_fn((2, 4), |(channel, at)| [0.021 + 0.002 * at as f32, 1.0][channel]);
        let moments = Array2::from_shape_fn((2, 2), |(a, b)| if a != b { 0.0 } else { [100.0, 0.01][a] });
        let bits = WeightBits::from(IntegerType::Int4);
        let of = |exponent| lost(&weights, &powers(&[10.0, 0.1], exponent), &moments, bits);
        assert!(of(0.5) < of(0.0) / 10.0, "{} {}", of(0.5), of(0.0));
        // The factors cancel where nothing is rounded away.
        let exact = WeightBits::from(IntegerType::Int16);
        assert!(lost(&weights, &powers(&[10.0, 0.1], 0.5), &moments, exact) < of(0.0) * 1e-4);
    }

    #[test]
    fn weights_of_products_and_convolutions_have_rows_of_input_channels() {
        let product = Constant::from_values(vec![1., 2., 3., 4., 5., 6.], vec![2, 3]);
        assert_eq!(by_input_channel(&product, 0).row(1).to_vec(), [4., 5., 6.]);
        let conv = Constant::from_values((0..12).map(|at| at as f32).collect(), vec![2, 3, 1, 2]);
        assert_eq!(by_input_channel(&conv, 1).row(1).to_vec(), [2., 3., 8., 9.]);
    }
}
