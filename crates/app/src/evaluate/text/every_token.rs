//! Prefill with the logits of every token: the same graph without the choice of the last one. What ships gives one row,
//! because an answer needs no more.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{Builder, Op, ValueId};
use autoneural_core::partition::Partition;
use autoneural_core::passes::Frozen;

/// The input that chooses.
const CHOICE: &str = "last";

/// The partition without the choice. Values keep their names, so that encodings and codes hold.
///
/// # Errors
/// A graph in which the choice is not a gathering of rows, or that does not take more of them.
pub(crate) fn every_token(partition: &Partition) -> Result<Partition> {
    let graph = &partition.graph;
    let choice = partition.input(CHOICE).map(|at| graph.inputs()[at]);
    let mut builder = Builder::new(graph.name.clone());
    let mut known: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    for &id in graph.inputs().iter().filter(|id| Some(**id) != choice) {
        let value = graph.value(id);
        known.insert(id, builder.input(value.name.clone(), value.shape.clone(), value.element)?);
    }
    for node in graph.nodes() {
        if let ([rows, index], Op::Gather(_)) = (node.inputs.as_slice(), &node.op)
            && Some(*index) == choice
        {
            known.insert(node.outputs[0], known[rows]);
            continue;
        }
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &id in &node.inputs {
            if let (Entry::Vacant(free), Some(constant)) = (known.entry(id), graph.value(id).constant()) {
                free.insert(builder.constant(graph.value(id).name.clone(), constant.clone())?);
            }
            let made = known.get(&id).copied();
            inputs.push(made.ok_or_else(|| {
                Error::internal(format!("{}: {}", graph.name, node.name), "chooses a token in another way")
            })?);
        }
        let names = node.outputs.iter().map(|&id| graph.value(id).name.clone()).collect();
        let outputs = builder.node_of(names, node.op.clone(), &inputs)?;
        known.extend(node.outputs.iter().copied().zip(outputs));
    }
    let graph = Frozen::new(builder.finish(graph.outputs().iter().map(|id| known[id]).collect()))?;
    let mut inputs = partition.inputs.clone();
    inputs.retain(|port| port.name != CHOICE);
    Ok(Partition { graph, inputs, ..partition.clone() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use autoneural_core::target::Target;
    use autoneural_front::{Definition, PREFILL, Recorder, assemble, partition};

    #[test]
    fn all_rows_come_out_on_every_target() {
        let path = Path::new("definition.toml");
        for text in [
            include_str!("../../../../../graphs/autoneural-tiny.toml"),
            include_str!("../../../../../tests/fixtures/llama-random/definition.toml"),
        ] {
            let definition = Definition::parse(text, path).unwrap();
            let model = assemble(&definition, &Recorder::new(&definition, path)).unwrap().model;
            for name in Target::names() {
                let target = Target::find(name).unwrap().0;
                let all = partition(&model, &definition, &target).unwrap();
                let prefill = all.iter().find(|partition| partition.name == PREFILL).unwrap();
                let made = every_token(prefill).unwrap();
                let logits = made.graph.value(made.graph.outputs()[0]);
                assert_eq!(logits.shape, [1, definition.language.prefill, definition.language.vocabulary]);
                assert_eq!(made.inputs.len() + 1, prefill.inputs.len(), "{name}");
                assert_eq!(made.outputs, prefill.outputs, "{name}");
            }
        }
    }
}
