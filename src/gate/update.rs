//! A new baseline in place of an old one: what it holds less tightly is said, and not written without leave.

use std::collections::BTreeSet;

use super::changes::some;
use super::check::Place;
use super::facts::{Facts, PartitionFacts};
use super::judge::{Measure, worse_by};
use crate::report::Columns;

/// What a new baseline changes.
#[derive(Debug, Default, PartialEq, serde::Serialize)]
pub struct Changes {
    /// Held less tightly: figures that got worse or are no longer there.
    pub looser: Vec<String>,
    /// Held more tightly: figures that got better.
    pub tighter: Vec<String>,
    /// Neither: encodings that moved, tensors, versions and inputs that are others.
    pub others: Vec<String>,
}

/// What changes from one baseline to another.
pub fn changes(before: &Facts, now: &Facts) -> Changes {
    let mut changes = Changes::default();
    for (name, old) in &before.partitions {
        match now.partitions.get(name) {
            Some(new) => changes.partition(name, old, new),
            None => changes.looser.push(format!("{name}: the partition is gone")),
        }
    }
    changes.added("partition", before.partitions.keys(), now.partitions.keys());
    changes.columns(
        &Place::of("", "sequences"),
        "logits",
        " dB",
        Measure::Drop,
        before.chain.logits_db,
        now.chain.logits_db,
    );
    let (old, new) = (before.chain.same_token_percent, now.chain.same_token_percent);
    changes.columns(&Place::of("", "sequences"), "same token", " %", Measure::Drop, old, new);
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
    let device = Place::of("", "device");
    changes.figure(&device, "holds", " bytes", Measure::Rise, bytes(before.device_bytes), bytes(now.device_bytes));
    for (name, old) in &before.evaluations {
        let (place, new) = (Place::of("", name), now.evaluations.get(name));
        let exact = new.map(|new| new.accuracy_percent);
        changes.figure(&place, "exact answers", " %", Measure::Drop, Some(old.accuracy_percent), exact);
        let perplexity = new.map(|new| new.perplexity);
        changes.figure(&place, "perplexity", "", Measure::Rise, Some(old.perplexity), perplexity);
    }
    changes.added("evaluation", before.evaluations.keys(), now.evaluations.keys());
    for (what, old, new) in [("version", &before.versions, &now.versions), ("input", &before.inputs, &now.inputs)] {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let names = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
        let say = |value: Option<&String>| value.map_or("none".to_string(), String::clone);
        let lines = names.map(|name| format!("{what} {name}: {} -> {}", say(old.get(name)), say(new.get(name))));
        changes.others.extend(lines);
    }
    changes
}

impl Changes {
    /// Whether both are the same.
    pub fn is_empty(&self) -> bool {
        self.looser.is_empty() && self.tighter.is_empty() && self.others.is_empty()
    }

    fn figure(&mut self, place: &Place, what: &str, unit: &str, measure: Measure, old: Option<f64>, new: Option<f64>) {
        let say = |value: Option<f64>| value.map_or("not measured".to_string(), |value| format!("{value}{unit}"));
        let line = format!("{place}: {what} {} -> {}", say(old), say(new));
        match (old, new) {
            (None, None) => {}
            (Some(_), None) => self.looser.push(line),
            (None, Some(_)) => self.tighter.push(line),
            (Some(old), Some(new)) => match worse_by(measure, old, new) {
                0.0 => {}
                worse if worse > 0.0 => self.looser.push(line),
                _ => self.tighter.push(line),
            },
        }
    }

    fn columns(&mut self, place: &Place, what: &str, unit: &str, measure: Measure, old: Columns, new: Columns) {
        self.figure(place, &format!("{what} on the NPU"), unit, measure, old.npu, new.npu);
        self.figure(place, &format!("{what} simulated"), unit, measure, old.simulated, new.simulated);
    }

    fn added<'a>(&mut self, what: &str, old: impl Iterator<Item = &'a String>, new: impl Iterator<Item = &'a String>) {
        let old: Vec<&String> = old.collect();
        self.tighter.extend(new.filter(|name| !old.contains(name)).map(|name| format!("{what} {name} is new")));
    }

    fn partition(&mut self, name: &str, old: &PartitionFacts, new: &PartitionFacts) {
        let place = Place::of(name, "");
        let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
        let outside = |facts: &PartitionFacts| facts.npu_nodes.map(|inside| (facts.nodes - inside) as f64);
        self.figure(&place, "nodes outside the NPU", "", Measure::Rise, outside(old), outside(new));
        let (before, after) = (bytes(old.binary_bytes), bytes(new.binary_bytes));
        self.figure(&place, "binary", " bytes", Measure::Rise, before, after);
        let (before, after) = (bytes(old.buffer_bytes), bytes(new.buffer_bytes));
        self.figure(&place, "buffers", " bytes", Measure::Rise, before, after);
        for (output, before) in &old.outputs {
            let (place, after) = (Place::of(name, output), new.outputs.get(output));
            let after_sqnr = after.map(|after| after.sqnr_db).unwrap_or_default();
            self.columns(&place, "SQNR", " dB", Measure::Drop, before.sqnr_db, after_sqnr);
        }
        self.added(&format!("{name}: output"), old.outputs.keys(), new.outputs.keys());
        for (layer, before) in &old.layers {
            let after = new.layers.get(layer).copied().unwrap_or_default();
            self.columns(&Place::of(name, layer), "layer SQNR", " dB", Measure::Drop, *before, after);
        }
        let measured = new.layers.keys().filter(|layer| !old.layers.contains_key(*layer)).count();
        if measured > 0 {
            self.tighter.push(format!("{name}: {measured} more layers are held"));
        }
        if old.weights != new.weights || old.nodes != new.nodes {
            let (weights, nodes) = (&new.weights, new.nodes);
            self.others.push(format!("{name}: {} with {} nodes -> {weights} with {nodes}", old.weights, old.nodes));
        }
        self.encodings(name, old, new);
    }

    /// Fewer bits hold less, everything else about encodings is neither better nor worse.
    fn encodings(&mut self, name: &str, old: &PartitionFacts, new: &PartitionFacts) {
        let mut moved = Vec::new();
        for (old, new) in [(&old.activations, &new.activations), (&old.constants, &new.constants)] {
            for (tensor, before) in old {
                match new.get(tensor) {
                    Some(after) if after.integer().bits() < before.integer().bits() => {
                        let (before, after) = (before.integer().name(), after.integer().name());
                        self.looser.push(format!("{name}: {tensor} {before} -> {after}"));
                    }
                    Some(after) if after == before => {}
                    _ => moved.push(tensor.as_str()),
                }
            }
            moved.extend(new.keys().filter(|tensor| !old.contains_key(*tensor)).map(String::as_str));
        }
        if !moved.is_empty() {
            self.others.push(format!("{name}: {} encodings are others: {}", moved.len(), some(&moved)));
        }
    }
}
