//! Tensors of a new baseline. Fewer bits hold less; everything else about encodings is neither better nor worse, and
//! only what moved further than the thresholds allow is taken.

use std::collections::BTreeMap;

use super::changes::{Change, Group};
use super::held::Update;
use crate::gate::check::Location;
use crate::gate::facts::PartitionFacts;
use crate::gate::rule::Rule;
use crate::gate::tensor::TensorFact;

impl Update<'_> {
    /// Puts the tensors of the old baseline into the new one where they hold on.
    pub fn encodings(&mut self, name: &str, old: &PartitionFacts, made: &mut PartitionFacts) {
        let limits = self.judge.thresholds.encodings.clone();
        self.tensors(
            (Rule::ActivationsMoved, limits.range_moved_percent),
            name,
            &old.activations,
            &mut made.activations,
        );
        self.tensors((Rule::ConstantsMoved, limits.scale_moved_percent), name, &old.constants, &mut made.constants);
        if (&old.weights, old.nodes) == (&made.weights, made.nodes) {
            return;
        }
        let (weights, nodes) = (&made.weights, made.nodes);
        let message = format!("{weights} with {nodes} nodes, {} with {} before", old.weights, old.nodes);
        let place = Location::of(name, "");
        let is_kept = self.judge.exception(Rule::GraphChanged, &place).is_some();
        let change = Change { group: Group::Graph, place, message, size: 0.0 };
        if !is_kept {
            return self.changes.others.push(change);
        }
        self.changes.excepted.push(change);
        let outside = made.npu_nodes.map(|inside| made.nodes.saturating_sub(inside));
        made.weights.clone_from(&old.weights);
        made.nodes = old.nodes;
        made.npu_nodes = outside.map(|outside| old.nodes.saturating_sub(outside));
    }

    fn tensors(
        &mut self,
        (rule, limit): (Rule, f64),
        partition: &str,
        old: &BTreeMap<String, TensorFact>,
        made: &mut BTreeMap<String, TensorFact>,
    ) {
        let mut kept = BTreeMap::new();
        for (tensor, before) in old {
            if made.get(tensor) != Some(before)
                && self.is_kept((rule, limit), partition, tensor, before, made.get(tensor))
            {
                kept.insert(tensor.clone(), *before);
            }
        }
        let new: Vec<String> = made.keys().filter(|tensor| !old.contains_key(*tensor)).cloned().collect();
        for tensor in new {
            let is_kept = self.is_graph_excepted(partition, &tensor);
            let place = Location::of(partition, &tensor);
            let change = Change { group: Group::Graph, place, message: "the tensor is new".into(), size: 0.0 };
            match is_kept {
                true => {
                    made.remove(&tensor);
                    self.changes.excepted.push(change);
                }
                false => self.changes.others.push(change),
            }
        }
        made.extend(kept);
    }

    fn is_graph_excepted(&mut self, partition: &str, tensor: &str) -> bool {
        [Location::of(partition, tensor), Location::of(partition, "")]
            .iter()
            .any(|place| self.judge.exception(Rule::GraphChanged, place).is_some())
    }

    /// Whether a tensor that is otherwise stays as it was accepted.
    fn is_kept(
        &mut self,
        (rule, limit): (Rule, f64),
        partition: &str,
        tensor: &str,
        before: &TensorFact,
        after: Option<&TensorFact>,
    ) -> bool {
        let place = Location::of(partition, tensor);
        let mut change = Change { group: Group::Graph, place, message: String::new(), size: 0.0 };
        let Some(after) = after.filter(|after| after.integer() == before.integer()) else {
            let is_kept = self.is_graph_excepted(partition, tensor);
            let (list, message) = match after {
                None => (&mut self.changes.others, "the tensor is gone".to_string()),
                Some(after) => {
                    let (old, new) = (before.integer(), after.integer());
                    let list =
                        if new.bits() < old.bits() { &mut self.changes.looser } else { &mut self.changes.others };
                    (list, format!("{}, {} before", new.name(), old.name()))
                }
            };
            change.message = message;
            change.size = f64::from(u8::from(after.is_some()));
            if is_kept { &mut self.changes.excepted } else { list }.push(change);
            return is_kept;
        };
        let percent = after.moved_percent(before).unwrap_or(f64::INFINITY);
        let whole = self.judge.exception(rule, &Location::of(partition, ""));
        let exception = self.judge.exception(rule, &change.place).or(whole);
        let most = exception.map_or(limit, |exception| exception.limit.unwrap_or(f64::INFINITY));
        change.group = Group::Encodings;
        change.message = format!("moved by {percent:.1} %: {after}, {before} before");
        change.size = percent;
        let is_kept = percent <= most;
        match is_kept {
            true if percent > limit => &mut self.changes.excepted,
            true => &mut self.changes.kept,
            false => &mut self.changes.others,
        }
        .push(change);
        is_kept
    }
}
