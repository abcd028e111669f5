//! Tensors of a part that is taken from somewhere else, where weights lie in several places.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::names::without_wrappers;
use super::opened::{Checkpoint, TensorInfo};
use super::place::{split, unmarked};
use crate::Component;
use crate::WeightNames;

/// Tensors that are not read, since the command line names another place for their part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// The part.
    pub part: &'static str,
    /// Where these lie.
    pub place: String,
    /// How many there are.
    pub tensors: usize,
    /// Where the part is taken from.
    pub taken_from: String,
}

/// Whose tensor it is.
#[derive(Clone, Copy)]
pub struct Elsewhere<'a> {
    /// The part.
    part: Component,
    /// The tensor of this part that is read in its place.
    taken: &'a TensorInfo,
    /// Whether the command line says which of the two is meant.
    pub is_decided: bool,
}

impl Elsewhere<'_> {
    /// The part by name, and where it is taken from.
    pub fn told(&self, checkpoint: &Checkpoint) -> (&'static str, String) {
        (self.part.name(), checkpoint.sources[self.taken.source].shown().to_string())
    }
}

/// The part of the model that a tensor is of, if that part's own is read from another place. `names` have the marks of
/// parts.
pub fn elsewhere<'a>(
    checkpoint: &'a Checkpoint,
    name: &str,
    used: &BTreeSet<&str>,
    names: &WeightNames,
) -> Option<Elsewhere<'a>> {
    let info = checkpoint.tensors.get(name)?;
    let (own, bare) = split(name);
    let bare = without_wrappers(bare).unwrap_or_else(|| bare.to_string());
    let of_part = |part: Component| -> Option<Elsewhere<'a>> {
        let prefixes = names.prefixes(part);
        let is_given = prefixes.iter().any(|prefix| split(prefix).0 == Some(part));
        let rests = prefixes.iter().filter_map(|prefix| bare.strip_prefix(unmarked(prefix)));
        let same = rests.flat_map(|rest| prefixes.iter().map(move |prefix| format!("{prefix}{rest}")));
        let is_head = part == Component::Language && names.head.iter().any(|head| unmarked(head) == bare);
        let first = || used.iter().find(|used| is_given && split(used).0 == Some(part)).map(|name| name.to_string());
        let mut others = same.chain(is_head.then(first).flatten()).filter_map(|other| checkpoint.find(&other));
        let taken = others.find(|(stored, _)| used.contains(stored))?.1;
        (taken.source != info.source).then_some(Elsewhere { part, taken, is_decided: is_given || own.is_some() })
    };
    Component::ALL.into_iter().filter(|part| own != Some(*part)).find_map(of_part)
}

/// What is set aside of a checkpoint of which these tensors are used.
pub fn set_aside(checkpoint: &Checkpoint, used: &BTreeSet<&str>, names: &WeightNames) -> Vec<SetAside> {
    let mut counts: BTreeMap<(usize, Component, usize), usize> = BTreeMap::new();
    for (name, info) in checkpoint.tensors.iter().filter(|(name, _)| !used.contains(name.as_str())) {
        if let Some(found) = elsewhere(checkpoint, name, used, names).filter(|found| found.is_decided) {
            *counts.entry((info.source, found.part, found.taken.source)).or_default() += 1;
        }
    }
    let path = |source: usize| checkpoint.sources[source].shown().to_string();
    let made = |((source, part, taken), tensors): ((usize, Component, usize), usize)| SetAside {
        part: part.name(),
        place: path(source),
        tensors,
        taken_from: path(taken),
    };
    counts.into_iter().map(made).collect()
}
