//! SmoothQuant: a value with some channels far larger than the others gets them smaller, and the weights behind it
//! larger, so that one scale fits all channels.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::method::{Context, Equalizer};
use super::spots::{Spot, Spots};
use crate::evidence::{Ask, Observer, Want};
use crate::ir::Constant;
use crate::passes::Frozen;
use crate::program::Group;
use autoneural_base::error::{Error, Result};

/// A channel is scaled by 2 to the power of at most so much, from the middle of all channels.
const MOST: f32 = 16.0;

/// Xiao et al., arXiv 2211.10438, equation 4: channel `j` of a value `X` is divided by `s_j = max|X_j|^alpha /
/// max|W_j|^(1 - alpha)`, and its weights are multiplied by it. Here every factor is rounded to a power of two, so that
/// the function is kept to the last bit, and their middle is one, so that a value whose channels are alike stays as it is.
pub struct SmoothQuant;

impl Equalizer for SmoothQuant {
    fn name(&self) -> &'static str {
        "smooth-quant"
    }

    fn source(&self) -> &'static str {
        "Xiao et al., arXiv 2211.10438"
    }

    fn wants(&self, group: &Group, graphs: &[&Frozen]) -> Result<Vec<Ask>> {
        Ok(Spots::find(group, graphs)?.all.iter().flat_map(|spot| asks(group, spot)).collect())
    }

    fn apply(&self, graphs: &[&Frozen], context: &Context) -> Result<BTreeMap<String, Constant>> {
        let spots = Spots::find(context.group, graphs)?;
        let weights = &spots.constants;
        let mut made: BTreeMap<String, Constant> = BTreeMap::new();
        for spot in &spots.all {
            let mut of_values = vec![0f32; spot.channels];
            for ask in asks(context.group, spot) {
                let Observer::Peaks(seen) = context.evidence.get(&ask)? else {
                    return Err(Error::internal(&ask.site, "has evidence of another kind than was asked for"));
                };
                raise(&mut of_values, seen.peaks().iter().copied());
            }
            let mut of_weights = vec![0f32; spot.channels];
            for (name, &axis) in &spot.readers {
                let constant = &weights[name];
                let inner: usize = constant.shape()[axis + 1..].iter().product();
                for block in constant.to_f32().chunks(inner * spot.channels) {
                    let rows = block.chunks(inner).map(|row| row.iter().fold(0f32, |most, w| most.max(w.abs())));
                    raise(&mut of_weights, rows);
                }
            }
            let powers = powers(&of_values, &of_weights, context.alpha);
            if powers.iter().all(|power| *power == 0.0) {
                continue;
            }
            let up: Arc<[f32]> = powers.iter().map(|power| power.exp2()).collect();
            let down: Arc<[f32]> = powers.iter().map(|power| (-power).exp2()).collect();
            for (constants, factors) in [(&spot.makers, &down), (&spot.readers, &up)] {
                for (name, &axis) in constants {
                    let known = made.get(name).unwrap_or(&weights[name]);
                    let scaled = known.scaled(axis, Arc::clone(factors));
                    made.insert(name.clone(), scaled);
                }
            }
        }
        Ok(made)
    }
}

fn asks(group: &Group, spot: &Spot) -> Vec<Ask> {
    spot.sites.iter().map(|(site, rows)| Ask::new(group, site, Want::Peaks, rows)).collect()
}

fn raise(peaks: &mut [f32], by: impl Iterator<Item = f32>) {
    peaks.iter_mut().zip(by).for_each(|(peak, other)| *peak = peak.max(other));
}

/// Logarithms of the factors, whole numbers. A channel in which nothing was seen, or that no weight reads, has the
/// middle one, which is 0.
fn powers(of_values: &[f32], of_weights: &[f32], alpha: f32) -> Vec<f32> {
    let exact = of_values.iter().zip(of_weights).map(|(x, w)| {
        let fits = x.is_normal() && w.is_normal();
        fits.then(|| alpha * x.log2() - (1.0 - alpha) * w.log2())
    });
    let exact: Vec<Option<f32>> = exact.collect();
    let mut known: Vec<f32> = exact.iter().flatten().copied().collect();
    known.sort_by(f32::total_cmp);
    let middle = known.get(known.len() / 2).copied().unwrap_or(0.0);
    exact.iter().map(|one| one.map_or(0.0, |one| (one - middle).round().clamp(-MOST, MOST))).collect()
}
