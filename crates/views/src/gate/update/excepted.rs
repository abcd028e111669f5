//! What is under an exception stays as it was accepted, in every respect: figures beside the one that is excepted come
//! from the same trial, also those that are better.

use std::collections::BTreeSet;

use super::changes::{Change, Group};
use super::held::Update;
use crate::gate::check::{Check, Outcome};
use crate::gate::facts::Facts;
use crate::gate::rule::Rule;
use autoneural_bundle::INPUTS;

/// What is kept as a whole.
#[derive(Debug, Default)]
struct Excepted {
    partitions: BTreeSet<String>,
    /// Outputs and layers: partition and name.
    outputs: BTreeSet<(String, String)>,
    layers: BTreeSet<(String, String)>,
    evaluations: BTreeSet<String>,
    versions: BTreeSet<String>,
    /// `weights` or `settings`.
    inputs: BTreeSet<String>,
    is_chain: bool,
    is_device: bool,
    /// Partitions that are new or gone.
    is_list: bool,
}

impl Excepted {
    fn of(checks: &[Check], changes: &[Change]) -> Self {
        let mut made = Excepted::default();
        for change in changes.iter().filter(|change| matches!(change.group, Group::Graph | Group::Encodings)) {
            made.partitions.extend(Some(change.place.partition.clone()).filter(|name| !name.is_empty()));
        }
        for Check { rule, place, .. } in checks.iter().filter(|check| check.outcome == Outcome::Excepted) {
            let (partition, name) = (place.partition.clone(), place.name.clone());
            match rule {
                Rule::LayerFloor | Rule::LayerDrop => drop(made.layers.insert((partition, name))),
                Rule::Version => drop(made.versions.insert(name)),
                Rule::Input => drop(made.inputs.insert(name)),
                Rule::ChainSqnr | Rule::ChainTokens => made.is_chain = true,
                Rule::DeviceSize => made.is_device = true,
                Rule::Accuracy
                | Rule::Perplexity
                | Rule::Top5
                | Rule::SameClass
                | Rule::SetSqnr
                | Rule::WorstSample => {
                    made.evaluations.insert(name);
                }
                Rule::GraphChanged if partition.is_empty() => made.is_list = true,
                Rule::Goal if name == "sequences" && partition.is_empty() => made.is_chain = true,
                Rule::Goal | Rule::SqnrFloor | Rule::SqnrDrop | Rule::RmsError | Rule::OutputWorst
                    if !partition.is_empty() =>
                {
                    made.outputs.insert((partition, name));
                }
                // Nothing of these is in a baseline.
                Rule::GoalLoosened | Rule::FrozenFloor | Rule::Exception => {}
                _ if !partition.is_empty() => drop(made.partitions.insert(partition)),
                _ => {}
            }
        }
        // What a device holds is the sum of partitions, and sequences and answers go through all of them.
        let is_of_all = made.is_list || !made.partitions.is_empty();
        made.is_chain |= is_of_all;
        made.is_device |= is_of_all;
        made
    }

    fn is_of_all(&self) -> bool {
        self.is_list || !self.partitions.is_empty()
    }

    /// Whether a change is in what is kept.
    fn has(&self, change: &Change) -> bool {
        let (partition, name) = (&change.place.partition, &change.place.name);
        let is_in = |set: &BTreeSet<(String, String)>| set.contains(&(partition.clone(), name.clone()));
        match change.group {
            Group::Goals => false,
            Group::Sequences => self.is_chain,
            Group::Evaluations => self.is_of_all() || self.evaluations.contains(name),
            Group::Sizes if partition.is_empty() => self.is_device,
            Group::Versions => self.versions.contains(name) || self.inputs.contains(kind(name)),
            Group::Graph if self.is_list && name.is_empty() => true,
            _ if self.partitions.contains(partition) => true,
            Group::Outputs => is_in(&self.outputs),
            Group::Layers => is_in(&self.layers),
            _ => false,
        }
    }
}

/// What a file of a bundle is, as the check of weights and settings has it.
fn kind(path: &str) -> &'static str {
    if path.ends_with(".toml") || path == INPUTS { "settings" } else { "weights" }
}

impl Update<'_> {
    /// Puts what is under an exception back to what it was, and says so; what is refused stays refused.
    pub(crate) fn keep_excepted(&mut self, checks: &[Check], before: &Facts, made: &mut Facts) {
        let excepted = Excepted::of(checks, &self.changes.excepted);
        for list in [&mut self.changes.tighter, &mut self.changes.kept, &mut self.changes.others] {
            self.changes.excepted.extend(list.extract_if(.., |change| excepted.has(change)));
        }
        if excepted.is_list {
            made.partitions.retain(|name, _| before.partitions.contains_key(name));
        }
        for (name, partition) in &mut made.partitions {
            let Some(old) = before.partitions.get(name) else { continue };
            if excepted.partitions.contains(name) {
                partition.clone_from(old);
                continue;
            }
            for (_, output) in excepted.outputs.iter().filter(|(of, _)| of == name) {
                if let Some(facts) = old.outputs.get(output) {
                    partition.outputs.insert(output.clone(), *facts);
                }
            }
            for (_, layer) in excepted.layers.iter().filter(|(of, _)| of == name) {
                if let Some(columns) = old.layers.get(layer) {
                    partition.layers.insert(layer.clone(), *columns);
                }
            }
        }
        if excepted.is_chain {
            made.chain = before.chain;
        }
        if excepted.is_device {
            made.device_bytes = before.device_bytes;
        }
        for (name, old) in &before.evaluations {
            if excepted.is_of_all() || excepted.evaluations.contains(name) {
                made.evaluations.insert(name.clone(), *old);
            }
        }
        for (name, old) in &before.sets {
            let is_of = |place: &String| {
                place.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
            };
            if excepted.is_of_all() || excepted.evaluations.iter().any(is_of) {
                made.sets.insert(name.clone(), old.clone());
            }
        }
        let restore = |made: &mut std::collections::BTreeMap<String, String>,
                       old: &std::collections::BTreeMap<String, String>,
                       is_kept: &dyn Fn(&str) -> bool| {
            made.retain(|name, _| !is_kept(name));
            made.extend(old.iter().filter(|(name, _)| is_kept(name)).map(|(name, is)| (name.clone(), is.clone())));
        };
        restore(&mut made.versions, &before.versions, &|name| excepted.versions.contains(name));
        restore(&mut made.inputs, &before.inputs, &|path| excepted.inputs.contains(kind(path)));
    }
}
