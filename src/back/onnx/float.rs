//! The float model: the reference that everything is compared with.

use std::collections::BTreeMap;
use std::path::Path;

use tract_onnx::pb::GraphProto;

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
    let graph = &partition.graph;
    let info = |&id: &ValueId| {
        let value = graph.value(id);
        let kind = match value.element {
            ElementType::F32 => DataType::FLOAT,
            ElementType::I32 => DataType::INT32,
        };
        value_info(&value.name, kind, &value.shape)
    };
    let mut places = BTreeMap::new();
    let mut made = GraphProto {
        name: graph.name.clone(),
        input: graph.inputs().iter().map(info).collect(),
        output: graph.outputs().iter().map(info).collect(),
        ..GraphProto::default()
    };
    for (_, value) in graph.values() {
        if let Some(constant) = value.constant() {
            let bytes = le_bytes(&constant.to_f32());
            // Every constant goes to the data file, small ones too: later stages read it from there.
            let offset = data.append(&bytes)?;
            places.insert(value.name.clone(), offset);
            let tensor = stored_tensor(&value.name, DataType::FLOAT, &value.shape, offset, bytes.len(), data);
            made.initializer.push(tensor);
        }
    }
    for node in graph.nodes() {
        let names = |ids: &[ValueId]| ids.iter().map(|&id| graph.value(id).name.clone()).collect();
        let shapes: Vec<&[usize]> = node.inputs.iter().map(|&id| graph.value(id).shape.as_slice()).collect();
        let (node, extra) = nodes::emit(node, &shapes, names(&node.inputs), names(&node.outputs), data)?;
        made.node.push(node);
        made.initializer.extend(extra);
    }
    write(&model(made), path)?;
    Ok(places)
}
