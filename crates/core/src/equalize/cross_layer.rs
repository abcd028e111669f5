//! Cross-layer equalization: the channels between two linear layers get the factors with which both layers use the range
//! of their weights alike.

use super::factors::{largest, powers, raise, scaled};
use super::method::{Context, Equalizer};
use super::spots::Spots;
use crate::evidence::Ask;
use crate::passes::Frozen;
use crate::program::Group;
use autoneural_base::error::Result;

/// Nagel et al., arXiv 1906.04721, section 4.1: a channel with weights up to `a` in the layer that makes it and up to `b`
/// in those that read it is divided by `sqrt(a / b)`, here a power of two. Values that a normalization makes stay, which
/// has no weights.
pub(crate) struct CrossLayer;

impl Equalizer for CrossLayer {
    fn name(&self) -> &'static str {
        "cross-layer"
    }

    fn source(&self) -> &'static str {
        "Nagel et al., arXiv 1906.04721"
    }

    fn wants(&self, group: &Group, graphs: &[&Frozen]) -> Result<Vec<Ask>> {
        Spots::find(group, graphs).map(|_| vec![])
    }

    fn apply(&self, graphs: &[&Frozen], context: &Context) -> Result<Vec<Frozen>> {
        scaled(graphs, &Spots::find(context.group, graphs)?, |spot, known| {
            let (mut made, mut read) = (vec![0f32; spot.channels], vec![0f32; spot.channels]);
            // Biases and gains have one axis.
            let weights = spot.makers.iter().filter(|(name, _)| known(name).shape().len() > 1);
            for (name, &axis) in weights {
                raise(&mut made, largest(&known(name), axis).into_iter());
            }
            for (name, &axis) in &spot.readers {
                raise(&mut read, largest(&known(name), axis).into_iter());
            }
            Ok(powers(&made, &read, 0.5))
        })
    }
}
