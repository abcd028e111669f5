//! What may be changed in a recipe about a tensor: only what is known to change its integers and what the target takes,
//! with what it costs. What it gains `tune` has measured, where its results stand beside the bundle; else only a
//! compilation tells.

use crate::report::state::State;
use crate::tune::{Tuned, TunedLayer};
use autoneural_base::text::bytes;
use autoneural_core::encoding::IntegerType;
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::{RangeSource, Sources, Table, refusal};
use autoneural_core::recipe::Recipe;
use autoneural_core::target::Target;
use autoneural_core::tune::bits_of;

/// Finds changes of the recipe that a bundle was made with.
pub struct Advisor<'a> {
    /// All partitions.
    pub partitions: &'a [Partition],
    /// Their encodings.
    pub tables: &'a [Table],
    /// Where these are from.
    pub sources: &'a Sources<'a>,
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The target.
    pub target: &'a Target,
    /// What `tune` measured of this model.
    pub tuned: Option<&'a Tuned>,
}

impl Advisor<'_> {
    /// Whether the range of a value is that of the calibration's samples, so that others widen it.
    pub fn is_calibrated(&self, group: &Group, name: &str) -> bool {
        self.sources.activation(group, name) == Some(&RangeSource::Seen)
    }

    /// A weight of 4 bits in 8; `None` if that does nothing or the target refuses it.
    pub fn more_bits_of_weight(&self, name: &str) -> Option<String> {
        if self.sources.file_of_param(name).is_some() {
            // A scale for 4 bits was learned: the recipe alone cannot change it.
            return None;
        }
        if let Some(layer) = self.tuned.and_then(|tuned| tuned.layer(name)) {
            return self.measured(layer);
        }
        let mut more = 0;
        for (partition, table) in self.partitions.iter().zip(self.tables) {
            if !table.params.contains_key(name) {
                continue;
            }
            let mut changed = table.clone();
            let wider = changed.params.get_mut(name)?;
            (wider.integer, wider.block) = (IntegerType::Int8, None);
            if self.refusals(partition, &changed) > self.refusals(partition, table) {
                return None;
            }
            let (_, weight) = partition.graph.values().find(|(_, value)| value.name == name)?;
            more += IntegerType::Int8.bytes_of(&weight.shape) - IntegerType::Int4.bytes_of(&weight.shape);
        }
        Some(self.exception(name, IntegerType::Int8, more))
    }

    /// An activation of 8 bits in 16, with those that it shares its encoding with; `None` if that does nothing or the
    /// target refuses it.
    pub fn more_bits_of_activation(&self, group: &Group, name: &str) -> Option<String> {
        let wider = IntegerType::Uint16;
        if matches!(self.sources.activation(group, name), None | Some(RangeSource::Given(_))) {
            return None;
        }
        if let Some(value) = self.tuned_value(group, name) {
            return self.measured_value(value);
        }
        let mut more = 0;
        for (partition, table) in self.partitions.iter().zip(self.tables) {
            let is_tied = |other: &str| self.sources.is_tied((group, name), (&partition.group, other));
            let mut changed = table.clone();
            for (other, encoding) in &mut changed.activations {
                if is_tied(other) {
                    if self.recipe.exception(other, false).is_some_and(|integer| integer != wider) {
                        return None;
                    }
                    encoding.integer = wider;
                }
            }
            if self.refusals(partition, &changed) > self.refusals(partition, table) {
                return None;
            }
            // Graphs of a group share the state.
            more = more.max(border(partition, &changed)?.saturating_sub(border(partition, table)?));
        }
        Some(self.exception(name, wider, more))
    }

    /// What `tune` measured of a value, or of those that it shares its encoding with.
    fn tuned_value(&self, group: &Group, name: &str) -> Option<&TunedLayer> {
        let found = self.tuned?.groups.iter().find(|one| one.group == group.name())?;
        let is_tied = |value: &&TunedLayer| self.sources.is_tied((group, name), (group, &value.name));
        found.layers.iter().filter(|layer| layer.is_value()).find(is_tied)
    }

    /// The change of a value from 8 to 16 bits, as it was measured.
    fn measured_value(&self, value: &TunedLayer) -> Option<String> {
        let mut encodings = self.tables.iter().filter_map(|table| table.activations.get(&value.name));
        let is_narrow = encodings.next().is_some_and(|encoding| encoding.integer == IntegerType::Uint8);
        let ((narrow, wide), figure) = (value.wider().filter(|_| is_narrow)?, self.tuned?.figure);
        Some(format!(
            "[[override]] with tensor = \"{}\" and type = \"{}\", as `tune` measured: what this value alone brings goes \
             from {} to {}",
            value.name,
            wide.bits,
            figure.words(narrow.noise),
            figure.words(wide.noise)
        ))
    }

    /// The change that takes most noise away for its bytes, as it was measured.
    fn measured(&self, layer: &TunedLayer) -> Option<String> {
        let encoding = self.tables.iter().find_map(|table| table.params.get(&layer.name))?;
        let (now, then) = layer.better(bits_of(encoding))?;
        let figure = self.tuned?.figure;
        Some(format!(
            "[[override]] with tensor = \"{}\" and type = \"{}\", as `tune` measured: what this layer alone brings goes \
             from {} to {}, for {} more on the device",
            layer.name,
            then.bits,
            figure.words(now.noise),
            figure.words(then.noise),
            bytes(then.bytes - now.bytes)
        ))
    }

    fn exception(&self, name: &str, integer: IntegerType, more: u64) -> String {
        let (integer, more) = (integer.name(), if more > 0 { bytes(more) } else { "nothing".into() });
        format!(
            "[[override]] with tensor = \"{name}\" and type = \"{integer}\", which {} takes: {more} more on the device",
            self.target.name
        )
    }

    fn refusals(&self, partition: &Partition, table: &Table) -> usize {
        let graph = &partition.graph;
        let is_refused =
            |node: &&autoneural_core::ir::Node| !matches!(refusal(graph, node, self.target, table), Ok(None));
        graph.nodes().iter().filter(is_refused).count()
    }
}

/// Bytes of state, in whole, and of the other ports of a partition.
fn border(partition: &Partition, table: &Table) -> Option<u64> {
    let state: u64 = State::of(partition, table).ok()?.iter().map(|state| state.bytes).sum();
    let graph = &partition.graph;
    let ports = partition.inputs.iter().zip(graph.inputs()).chain(partition.outputs.iter().zip(graph.outputs()));
    let others = ports.filter(|(port, _)| port.meaning.state.is_none());
    let bytes: Option<Vec<u64>> = others.map(|(_, id)| table.bytes_of(graph.value(*id)).ok()).collect();
    Some(state + bytes?.iter().sum::<u64>())
}
