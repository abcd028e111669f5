//! What a method is, and what it is given.

use std::collections::BTreeMap;

use crate::evidence::{Ask, EvidenceSource};
use crate::ir::Constant;
use crate::passes::Frozen;
use crate::program::Group;
use autoneural_base::error::Result;

/// What a method is given beside the graphs, whose constants are the weights.
pub struct Context<'a> {
    /// The group that the graphs are.
    pub group: &'a Group,
    /// What was asked for, collected on these graphs.
    pub evidence: &'a dyn EvidenceSource,
    /// How much of the spread goes into weights ([`super::Equalize::alpha`]).
    pub alpha: f32,
}

/// A rewrite of the numbers in the constants of a group of graphs that keeps what they compute, within rounding.
pub trait Equalizer: Sync {
    /// Its name, as recipes write it.
    fn name(&self) -> &'static str;

    /// Where it is from: authors or paper.
    fn source(&self) -> &'static str;

    /// What it wants to know of the graphs.
    ///
    /// # Errors
    /// Graphs of which it can rewrite nothing: says why.
    fn wants(&self, group: &Group, graphs: &[&Frozen]) -> Result<Vec<Ask>>;

    /// The constants that get other numbers, by their names. The same arguments give the same constants.
    ///
    /// # Errors
    /// As for [`Equalizer::wants`], and evidence that is not there.
    fn apply(&self, graphs: &[&Frozen], context: &Context) -> Result<BTreeMap<String, Constant>>;
}
