//! The float model: the reference that everything is compared with.

use std::collections::BTreeMap;
use std::path::Path;

use tract_onnx::pb::{GraphProto, TensorProto};

use super::proto::{DataType, model, stored_tensor, value_info, write};
use super::{DataWriter, nodes};
use crate::error::Result;
use crate::ir::{ElementType, ValueId, le_bytes};
use crate::partition::Partition;

/// Where a constant's f32 elements stand in the data file.
pub type ConstantPlace = u64;

/// Writes `path` and appends its weights to `data`; gives the place of every constant.
pub fn emit_float(
    partition: &Partition,
    path: &Path,
    data: &mut DataWriter,
) -> Result<BTreeMap<String, ConstantPlace>> {
    let mut places = BTreeMap::new();
    let constants: BTreeMap<&str, _> =
        partition.graph.values().filter_map(|(_, value)| Some((value.name.as_str(), value.constant()?))).collect();
    let made = graph(partition, |name, shape| {
        let bytes = le_bytes(&constants[name].to_f32());
        // Every constant goes to the data file, small ones too: later stages read it from there.
        let offset = data.append(&bytes)?;
        places.insert(name.to_string(), offset);
        Ok(stored_tensor(name, DataType::FLOAT, shape, offset, bytes.len(), data.name()))
    })?;
    write(&model(made), path)?;
    Ok(places)
}

/// The graph of a partition's float model; `store` gives the tensor of a constant by its name and shape.
///
/// # Errors
/// Those of `store`, and a graph that was not legalized.
pub fn graph(
    partition: &Partition,
    mut store: impl FnMut(&str, &[usize]) -> Result<TensorProto>,
) -> Result<GraphProto> {
    let graph = &partition.graph;
    let info = |&id: &ValueId| {
        let value = graph.value(id);
        let kind = match value.element {
            ElementType::F32 => DataType::FLOAT,
            ElementType::I32 => DataType::INT32,
        };
        value_info(&value.name, kind, &value.shape)
    };
    let mut made = GraphProto {
        name: graph.name.clone(),
        input: graph.inputs().iter().map(info).collect(),
        output: graph.outputs().iter().map(info).collect(),
        ..GraphProto::default()
    };
    for (_, value) in graph.values().filter(|(_, value)| value.constant().is_some()) {
        made.initializer.push(store(&value.name, &value.shape)?);
    }
    for node in graph.nodes() {
        let names = |ids: &[ValueId]| ids.iter().map(|&id| graph.value(id).name.clone()).collect();
        let shapes: Vec<&[usize]> = node.inputs.iter().map(|&id| graph.value(id).shape.as_slice()).collect();
        let (node, extra) = nodes::emit(node, &shapes, names(&node.inputs), names(&node.outputs))?;
        made.node.push(node);
        made.initializer.extend(extra);
    }
    Ok(made)
}
