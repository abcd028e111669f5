//! What an equalization method is, and what it is given.

use std::collections::BTreeSet;

use crate::evidence::{Ask, EvidenceSource};
use crate::passes::Frozen;
use crate::program::Group;
use crate::recipe::WeightBits;
use autoneural_base::error::Result;

/// What a method is given beside the graphs, whose constants are the weights.
pub struct Context<'a> {
    /// The group that the graphs are.
    pub group: &'a Group,
    /// What the weights of the group become afterwards.
    pub weights: WeightBits,
    /// The evidence that the method requested, collected on these graphs.
    pub evidence: &'a dyn EvidenceSource,
    /// How much of the spread of channels goes into the weights, 0 to 1 ([`super::Equalize::alpha`]).
    pub alpha: f32,
}

/// What rewritten graphs have more than the graphs before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// Names of weights.
    pub weights: BTreeSet<String>,
    /// Names of values that are computed.
    pub values: BTreeSet<String>,
}

/// A rewrite of a group of graphs that keeps what they compute, within rounding, and the names and shapes of their inputs,
/// outputs and constants.
pub trait Equalizer: Sync {
    /// Its name, as recipes write it.
    fn name(&self) -> &'static str;

    /// Where it is from: authors or paper.
    fn source(&self) -> &'static str;

    /// Whether recipes say how much of the spread goes into the weights ([`super::Equalize::alpha`]).
    fn takes_alpha(&self) -> bool {
        false
    }

    /// The evidence that it requests about values of the graphs.
    ///
    /// # Errors
    /// It can rewrite nothing in these graphs; the error says why.
    fn wants(&self, group: &Group, graphs: &[&Frozen]) -> Result<Vec<Ask>>;

    /// What the rewritten graphs will have more than these; nothing, where none of them is rewritten.
    fn adds(&self, _group: &Group, _graphs: &[&Frozen]) -> Added {
        Added::default()
    }

    /// The graphs, rewritten, in their order. The same arguments give the same graphs.
    ///
    /// # Errors
    /// As for [`Equalizer::wants`], or evidence is missing.
    fn apply(&self, graphs: &[&Frozen], context: &Context) -> Result<Vec<Frozen>>;
}
