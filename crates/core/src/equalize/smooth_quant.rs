//! SmoothQuant: where some channels of a value are far larger than the others, they are made smaller, and the weights
//! that read them larger, so that one scale fits all channels.

use super::factors::{largest, powers, raise, scaled};
use super::method::{Context, Equalizer};
use super::spots::Spots;
use crate::evidence::{Ask, Observer, Want};
use crate::passes::Frozen;
use crate::program::Group;
use autoneural_base::error::{Error, Result};

/// Xiao et al., arXiv 2211.10438, equation 4: channel `j` of a value `X` is divided by
/// `s_j = max|X_j|^alpha / max|W_j|^(1 - alpha)`, and its weights are multiplied by it. Here every factor is rounded to
/// a power of two, so that the function stays the same to the last bit, and the median factor is one, so that a value
/// whose channels are alike stays as it is.
pub(crate) struct SmoothQuant;

impl Equalizer for SmoothQuant {
    fn name(&self) -> &'static str {
        "smooth-quant"
    }

    fn source(&self) -> &'static str {
        "Xiao et al., arXiv 2211.10438"
    }

    fn wants(&self, group: &Group, graphs: &[&Frozen]) -> Result<Vec<Ask>> {
        Ok(Spots::find(group, graphs)?.all.iter().flat_map(|spot| spot.asks(group, Want::Peaks)).collect())
    }

    fn takes_alpha(&self) -> bool {
        true
    }

    fn apply(&self, graphs: &[&Frozen], context: &Context) -> Result<Vec<Frozen>> {
        scaled(graphs, &Spots::find(context.group, graphs)?, |spot, known| {
            let mut of_values = vec![0f32; spot.channels];
            for ask in spot.asks(context.group, Want::Peaks) {
                let Observer::Peaks(seen) = context.evidence.get(&ask)? else {
                    return Err(Error::internal(&ask.site, "has evidence of another kind than was asked for"));
                };
                raise(&mut of_values, seen.peaks().iter().copied());
            }
            let mut of_weights = vec![0f32; spot.channels];
            for (name, &axis) in &spot.readers {
                raise(&mut of_weights, largest(&known(name), axis).into_iter());
            }
            Ok(powers(&of_values, &of_weights, context.alpha))
        })
    }
}
