//! The float model: the reference that everything is compared with.

use std::collections::BTreeMap;
use std::path::Path;

use tract_onnx::pb::{GraphProto, TensorProto};

use super::proto::{DataType, model, stored_tensor, value_info, write};
use super::{DataWriter, nodes};
use crate::error::Result;
use crate::ir::{Constant, Value, ValueId};
use crate::partition::Partition;

/// Where a constant's elements stand in the data file.
pub type ConstantPlace = u64;

/// Writes `path` and appends its weights to `data`; gives the place of every constant.
pub fn emit_float(
    partition: &Partition,
    path: &Path,
    data: &mut DataWriter,
) -> Result<BTreeMap<String, ConstantPlace>> {
    let mut places = BTreeMap::new();
    let made = graph(partition, |value, constant| {
        let bytes = constant.to_le_bytes();
        // Every constant goes to the data file, small ones too: later stages read it from there.
        let offset = data.append(&bytes)?;
        places.insert(value.name.clone(), offset);
        let kind = DataType::of_element(value.element);
        Ok(stored_tensor(&value.name, kind, &value.shape, offset, bytes.len(), data.name()))
    })?;
    write(&model(made), path)?;
    Ok(places)
}

/// The graph of a partition's float model; `store` gives the tensor of a constant.
///
/// # Errors
/// Those of `store`, and a graph that was not legalized.
pub fn graph(
    partition: &Partition,
    mut store: impl FnMut(&Value, &Constant) -> Result<TensorProto>,
) -> Result<GraphProto> {
    let graph = &partition.graph;
    let info = |&id: &ValueId| {
        let value = graph.value(id);
        value_info(&value.name, DataType::of_element(value.element), &value.shape)
    };
    let mut made = GraphProto {
        name: graph.name.clone(),
        input: graph.inputs().iter().map(info).collect(),
        output: graph.outputs().iter().map(info).collect(),
        ..GraphProto::default()
    };
    for (_, value) in graph.values() {
        if let Some(constant) = value.constant() {
            made.initializer.push(store(value, constant)?);
        }
    }
    for node in graph.nodes() {
        let names = |ids: &[ValueId]| ids.iter().map(|&id| graph.value(id).name.clone()).collect();
        let shapes: Vec<_> = node.inputs.iter().map(|&id| &graph.value(id).shape).collect();
        let (node, extra) = nodes::emit(node, &shapes, names(&node.inputs), names(&node.outputs))?;
        made.node.push(node);
        made.initializer.extend(extra);
    }
    Ok(made)
}
