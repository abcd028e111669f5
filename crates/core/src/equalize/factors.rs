//! Factors of channels, and what they make of the constants around a spot.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::spots::{Spot, Spots};
use crate::encoding::magnitudes;
use crate::ir::Constant;
use crate::passes::Frozen;
use crate::passes::rewrite::Rewrite;
use autoneural_base::error::Result;

/// A channel is scaled by at most 2 to this power, up or down, relative to the median channel.
const MOST: f32 = 16.0;

/// Graphs whose spots are scaled one after the other. `powers` gives for a spot and the constants as they
/// are so far the logarithm (base 2) of each channel's factor: the value is divided by it, and the weights that read the
/// value are multiplied by it.
///
/// # Errors
/// Those of `powers`.
pub(crate) fn scaled(
    graphs: &[&Frozen],
    spots: &Spots,
    mut powers: impl FnMut(&Spot, &dyn Fn(&str) -> Constant) -> Result<Vec<f32>>,
) -> Result<Vec<Frozen>> {
    let mut made: BTreeMap<String, Constant> = BTreeMap::new();
    for spot in &spots.all {
        let known = |name: &str| made.get(name).unwrap_or(&spots.constants[name]).clone();
        let powers = powers(spot, &known)?;
        if powers.iter().all(|power| *power == 0.0) {
            continue;
        }
        let up: Arc<[f32]> = powers.iter().map(|power| power.exp2()).collect();
        let down: Arc<[f32]> = powers.iter().map(|power| (-power).exp2()).collect();
        for (constants, factors) in [(&spot.makers, &down), (&spot.readers, &up)] {
            for (name, &axis) in constants {
                let known = made.get(name).unwrap_or(&spots.constants[name]);
                let scaled = known.scaled(axis, Arc::clone(factors));
                made.insert(name.clone(), scaled);
            }
        }
    }
    graphs.iter().map(|graph| with_constants(graph, &made)).collect()
}

/// The graph with the numbers of these constants in place of its own. Names, types and shapes stay.
fn with_constants(graph: &Frozen, constants: &BTreeMap<String, Constant>) -> Result<Frozen> {
    let mut rewrite = Rewrite::new(graph)?;
    rewrite.replace_constants(constants)?;
    graph.nodes().iter().try_for_each(|node| rewrite.copy(node))?;
    Frozen::new(rewrite.finish()?)
}

/// The largest magnitude of each channel of weights, whose channels lie along an axis.
pub(crate) fn largest(weights: &Constant, axis: usize) -> Vec<f32> {
    magnitudes(&weights.to_f32(), weights.shape(), Some(axis))
}

/// Raises each number to the other one where that is larger.
pub(crate) fn raise(peaks: &mut [f32], by: impl Iterator<Item = f32>) {
    peaks.iter_mut().zip(by).for_each(|(peak, other)| *peak = peak.max(other));
}

/// Logarithms (base 2) of the factors `a^alpha / b^(1 - alpha)`, rounded to whole numbers, so that the function stays the
/// same to the last bit. The median is 0, so that channels that are alike stay as they are. A channel of which one number
/// is zero gets the median.
pub(crate) fn powers(a: &[f32], b: &[f32], alpha: f32) -> Vec<f32> {
    let exact = a.iter().zip(b).map(|(a, b)| {
        let fits = a.is_normal() && b.is_normal();
        fits.then(|| alpha * a.log2() - (1.0 - alpha) * b.log2())
    });
    let exact: Vec<Option<f32>> = exact.collect();
    let mut known: Vec<f32> = exact.iter().flatten().copied().collect();
    known.sort_by(f32::total_cmp);
    let middle = known.get(known.len() / 2).copied().unwrap_or(0.0);
    exact.iter().map(|one| one.map_or(0.0, |one| (one - middle).round().clamp(-MOST, MOST))).collect()
}
