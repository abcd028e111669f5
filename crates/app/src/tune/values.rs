//! Computed values of a group that may have 8 or 16 bits. Values that share their encoding are one.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::{Basis, Of, Subject, Tunable, exception};
use autoneural_base::error::Result;
use autoneural_core::encoding::IntegerType;
use autoneural_core::ir::{Graph, Op};
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::{Shared, Table, cuts, shared, weight};
use autoneural_core::tune::{Candidates, Choice, Operators, choices};

/// What a value can be, the cheapest first.
const WIDTHS: [IntegerType; 2] = [IntegerType::Uint8, IntegerType::Uint16];

/// Values that get one width.
struct Unit {
    /// Those that share an encoding.
    values: Vec<String>,
    /// What operators make for an activation alone which makes one of these, in the same integers. Their rounding is that
    /// of what the activation leaves, and is not measured by itself.
    before: Vec<String>,
    is_at_border: bool,
}

impl Unit {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.values.iter().chain(&self.before)
    }
}

/// Classes of values, each with what is joined to it.
fn units(classes: Vec<Shared>, (own, tables): (&[Partition], &[Table])) -> Vec<Unit> {
    let unit = |Shared { values, is_at_border }| Unit { values, before: vec![], is_at_border };
    let mut made: Vec<Unit> = classes.into_iter().map(unit).collect();
    for (graph, table) in own.iter().map(|partition| &*partition.graph).zip(tables) {
        let joined = cuts(graph, table);
        // From the end, so that of two activations in a row the last one takes both.
        for node in graph.nodes().iter().rev().filter(|node| node.inputs.len() == 1) {
            let [before, behind] = [node.inputs[0], node.outputs[0]].map(|id| &graph.value(id).name);
            let place = |name: &String| made.iter().position(|unit| unit.all().any(|own| own == name));
            let is_cut = matches!(node.op, Op::Relu(_) | Op::Clip(_)) && joined.contains_key(before);
            let (Some(from), Some(to)) = (place(before), place(behind)) else { continue };
            if is_cut && from != to {
                let Unit { values, before, is_at_border } = made.remove(from);
                let to = if from < to { to - 1 } else { to };
                made[to].before.extend(values.into_iter().chain(before));
                made[to].is_at_border |= is_at_border;
            }
        }
    }
    made
}

impl Basis<'_> {
    /// Adds the values of a subject whose bits can be chosen. Those that enter or leave a graph stay as they are, since
    /// others feed and read them; so do those that the recipe states by name, and those beside a layer whose weights are of
    /// a kind that the target takes with 16 bits only.
    ///
    /// # Errors
    /// Encodings cannot be made.
    pub(super) fn add_values(&self, subject: &mut Subject, (own, tables): (&[Partition], &[Table])) -> Result<()> {
        let group = subject.group.clone();
        let firm = self.beside_firm(subject, (own, tables))?;
        let can = |one: &&Unit| {
            let is_free = |name: &String| self.recipe.exception(name, false).is_none() && !firm.contains(name);
            !one.is_at_border && one.all().all(is_free)
        };
        let all = units(shared(self.partitions, &group), (own, tables));
        // An override names a value, and must mean no other.
        let named = |one: &Unit| one.values.iter().find(|name| self.is_only_here(&group, name)).cloned();
        let free: Vec<(String, &Unit)> = all.iter().filter(can).filter_map(|one| Some((named(one)?, one))).collect();
        if free.is_empty() {
            return Ok(());
        }
        let mut of_widths = Vec::new();
        for integer in WIDTHS {
            let text: String = free.iter().map(|(name, _)| exception(name, Choice::Value(integer))).collect();
            of_widths.push(self.tables(&group, &self.recipe.with_overrides(&text)?)?);
        }
        let encoding =
            |tables: &[Table], name: &str| tables.iter().find_map(|table| table.activations.get(name)).cloned();
        let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
        let mut made = Vec::new();
        for (name, one) in &free {
            let makes = |graph: &Graph| one.values.iter().any(|name| graph.find(name).is_some());
            let net = subject.nets.iter().position(|(_, net)| makes(&net.graph));
            let base = encoding(tables, name).map(|encoding| encoding.integer);
            let both: Option<Vec<_>> = of_widths.iter().map(|tables| encoding(tables, name)).collect();
            let (Some(net), Some(base), Some(both)) = (net, base, both) else { continue };
            classes.extend(one.all().map(|name| (name.as_str(), made.len())));
            made.push(Tunable {
                name: name.clone(),
                of: Of::Value { members: one.values.iter().cloned().collect(), encodings: both },
                net,
                base: Choice::Value(base),
                choices: WIDTHS.map(Choice::Value).to_vec(),
                multiply_adds: 0,
                has_pairs: false,
            });
        }
        let weights = |name: &str| {
            let layer = subject.layers.iter().find(|layer| layer.layer().is_some_and(|layer| layer.name == name));
            layer.map_or(vec![], |layer| layer.choices.iter().filter_map(|choice| choice.weights()).collect())
        };
        let candidates = Candidates { class: &|name| classes.get(name).copied(), count: made.len(), weights: &weights };
        let measured = |at: usize| subject.nets.iter().any(|(place, _)| self.partitions[*place].name == own[at].name);
        let graphs: Vec<(&Graph, &Table)> =
            (0..own.len()).filter(|&at| measured(at)).map(|at| (&*own[at].graph, &tables[at])).collect();
        let operators = Operators::of(&graphs, &candidates, self.target);
        subject.operators = Some(operators);
        subject.layers.extend(made);
        Ok(())
    }

    /// Names of values beside layers with weights that the target does not take with 8 bits.
    fn beside_firm(&self, subject: &Subject, (own, tables): (&[Partition], &[Table])) -> Result<BTreeSet<String>> {
        let mut firm: BTreeSet<&str> = BTreeSet::new();
        for tunable in &subject.layers {
            let Some(layer) = tunable.layer() else { continue };
            let taken = choices(layer, own, tables, (self.target, true))?;
            if !tunable.choices.iter().filter_map(|choice| choice.weights()).all(|bits| taken.contains(&bits)) {
                firm.insert(&layer.name);
            }
        }
        let mut made = BTreeSet::new();
        for graph in own.iter().map(|partition| &partition.graph) {
            let is_beside = |node: &&autoneural_core::ir::Node| {
                weight(graph, node).is_some_and(|value| firm.contains(value.name.as_str()))
            };
            for node in graph.nodes().iter().filter(is_beside) {
                made.extend(node.inputs.iter().chain(&node.outputs).map(|&id| graph.value(id).name.clone()));
            }
        }
        Ok(made)
    }

    /// Whether a name means a value of this group and of no other.
    fn is_only_here(&self, group: &Group, name: &str) -> bool {
        let others = self.partitions.iter().filter(|partition| partition.group != *group);
        !name.contains('*') && others.into_iter().all(|partition| partition.graph.find(name).is_none())
    }
}
