//! The layers of a group with what each of them can become, and the encodings that they would have.

use std::collections::BTreeSet;

use crate::evaluate::reading;
use crate::runs::has_layers_of_its_own;
use autoneural_base::error::{Error, Result};
use autoneural_core::evidence::{EvidenceSource, StatisticsTable};
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::{Given, Layer, Table, decisive, layers, quantize, weight};
use autoneural_core::recipe::{Recipe, WeightBits, quoted};
use autoneural_core::segment::multiply_adds;
use autoneural_core::target::Target;
use autoneural_core::tune::{bits_of, choices, weight_bytes};
use autoneural_front::PREFILL;

/// Encodings of the nets of a subject, by what its layers are in them.
pub(crate) type Encodings = Vec<(WeightBits, Vec<Table>)>;

/// A layer that gets integers.
pub(crate) struct Tunable {
    /// The layer.
    pub layer: Layer,
    /// Which of the subject's graphs it is measured in.
    pub net: usize,
    /// What it would be without tuning.
    pub base: WeightBits,
    /// What it can be, by bytes.
    pub choices: Vec<WeightBits>,
    /// Multiply-adds of a run of its graph.
    pub multiply_adds: u64,
}

impl Tunable {
    /// Its weights.
    pub(crate) fn elements(&self) -> u64 {
        self.layer.shape.iter().map(|&size| size as u64).product()
    }

    /// Bytes of each choice.
    pub(crate) fn bytes(&self) -> Vec<u64> {
        self.choices.iter().map(|bits| weight_bytes(*bits, &self.layer.shape, self.layer.axes)).collect()
    }
}

/// A group that is tuned.
pub(crate) struct Subject {
    /// The group.
    pub group: Group,
    /// The graphs in which its layers are measured, and their places in the program.
    pub nets: Vec<(usize, Partition)>,
    /// Its layers.
    pub layers: Vec<Tunable>,
}

/// What the choices of a program follow from.
pub(crate) struct Basis<'a> {
    /// All graphs.
    pub partitions: &'a [Partition],
    /// What calibration found: ranges, and what methods asked for.
    pub seen: (&'a StatisticsTable, &'a dyn EvidenceSource),
    /// The recipe to begin with.
    pub recipe: &'a Recipe,
    /// The target.
    pub target: &'a Target,
}

impl Basis<'_> {
    /// The encodings of a group under a recipe.
    fn tables(&self, group: &Group, recipe: &Recipe) -> Result<Vec<Table>> {
        let statistics = self.seen.0.of(&decisive(self.partitions, group));
        let given = Given::default();
        let (made, _) = quantize(self.partitions, group, (&statistics, self.seen.1), recipe, self.target, &given)?;
        Ok(made.into_iter().map(|(table, _)| table).collect())
    }

    /// A group with its layers and their choices.
    ///
    /// # Errors
    /// Encodings cannot be made.
    pub(crate) fn subject(&self, group: &Group) -> Result<Subject> {
        let places: Vec<usize> = (0..self.partitions.len()).filter(|&at| self.partitions[at].group == *group).collect();
        let own: Vec<Partition> = places.iter().map(|&at| self.partitions[at].clone()).collect();
        let tables = self.tables(group, self.recipe)?;
        let mut nets = Vec::new();
        for &at in places.iter().filter(|&&at| has_layers_of_its_own(self.partitions, at)) {
            // A graph that takes in chunks says more with the logits of all tokens than with those of the last.
            let whole = (self.partitions[at].name == PREFILL).then(|| reading(self.partitions).ok()).flatten();
            nets.push((at, whole.map_or_else(|| self.partitions[at].clone(), |(_, whole)| whole)));
        }
        let mut made = Vec::new();
        for layer in layers(self.partitions, group) {
            let net = nets.iter().position(|(_, net)| net.graph.find(&layer.name).is_some());
            let encoding = tables.iter().find_map(|table| table.params.get(&layer.name));
            let (Some(net), Some(encoding)) = (net, encoding) else {
                return Err(Error::internal(&layer.name, "is in no graph that is measured"));
            };
            let base = bits_of(encoding);
            let mut choices = choices(&layer, &own, &tables, self.target)?;
            if !choices.contains(&base) || self.recipe.exception(&layer.name, true).is_some() {
                // It runs on the CPU, or the recipe states it by name: it stays as it is.
                choices = vec![base];
            }
            let graph = &nets[net].1.graph;
            let reads =
                |node: &&autoneural_core::ir::Node| weight(graph, node).is_some_and(|value| value.name == layer.name);
            let multiply_adds = graph.nodes().iter().filter(reads).map(|node| multiply_adds(graph, node)).sum();
            made.push(Tunable { layer, net, base, choices, multiply_adds });
        }
        Ok(Subject { group: group.clone(), nets, layers: made })
    }

    /// For each kind of integers that a layer of a subject can have: the encodings of its nets, with as many layers in
    /// this kind as take it.
    ///
    /// # Errors
    /// Encodings cannot be made.
    pub(crate) fn encodings(&self, subject: &Subject) -> Result<Encodings> {
        let mut kinds: Vec<WeightBits> = Vec::new();
        for bits in subject.layers.iter().flat_map(|layer| &layer.choices) {
            if !kinds.contains(bits) {
                kinds.push(*bits);
            }
        }
        let places: Vec<usize> =
            (0..self.partitions.len()).filter(|&at| self.partitions[at].group == subject.group).collect();
        let wanted: BTreeSet<usize> = subject.nets.iter().map(|(at, _)| *at).collect();
        let mut made = Vec::new();
        for bits in kinds {
            let takers = subject.layers.iter().filter(|layer| layer.choices.contains(&bits));
            let text: String = takers.map(|layer| exception(&layer.layer.name, bits)).collect();
            let tables = self.tables(&subject.group, &self.recipe.with_overrides(&text)?)?;
            let tables = places.iter().zip(tables).filter(|(at, _)| wanted.contains(at)).map(|(_, table)| table);
            made.push((bits, tables.collect()));
        }
        Ok(made)
    }
}

/// An exception of a recipe.
pub(crate) fn exception(tensor: &str, bits: WeightBits) -> String {
    format!("[[override]]\ntensor = {}\ntype = \"{bits}\"\n", quoted(tensor))
}
