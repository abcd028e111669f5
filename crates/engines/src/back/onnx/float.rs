//! The float model: the reference that everything is compared with. Its large weights keep the type that they have in the
//! checkpoint; a Cast makes float32 of them.

use std::collections::BTreeMap;
use std::path::Path;

use autoneural_onnx::{GraphProto, TensorProto, encode};

use super::proto::{DataType, int, model, node, small_tensor, stored_tensor, value_info, write};
use super::{DataWriter, nodes};
use autoneural_base::error::Result;
use autoneural_core::ir::{Constant, Graph, StoredType, Value, ValueId};
use autoneural_core::partition::Partition;
use autoneural_core::passes::Frozen;

/// A constant of at least this many elements keeps the type in which it is stored, where that is half of float32.
const LARGE: usize = 1 << 18;

/// Where the elements of a constant are in the data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConstantPlace {
    /// Offset in bytes.
    pub offset: u64,
    /// Their type in the file.
    pub stored: StoredType,
}

/// The type that a constant's elements have in data files.
pub(crate) fn kept_type(constant: &Constant) -> StoredType {
    match constant.shape().iter().product::<usize>() >= LARGE {
        true => constant.stored_type(),
        false => StoredType::of(constant.element_type()),
    }
}

/// Writes the float model of a partition to `path` and appends its weights to `data`. Returns the place of every
/// constant.
///
/// # Errors
/// A file cannot be written, or an operator has no form in ONNX, which is a defect.
pub fn emit_float(
    partition: &Partition,
    path: &Path,
    data: &mut DataWriter,
) -> Result<BTreeMap<String, ConstantPlace>> {
    let mut places = BTreeMap::new();
    let made = graph(&partition.graph, |value, constant| {
        // Every constant goes to the data file, small ones too: later stages read it from there.
        let place = ConstantPlace { offset: append(data, constant)?, stored: kept_type(constant) };
        places.insert(value.name.clone(), place);
        Ok(stored(value, place, data.name()))
    })?;
    write(&model(made), path)?;
    Ok(places)
}

/// Writes a graph as it was built to `path`. Constants that the frozen graphs also have are read from `data`; the
/// others are appended to `own`.
///
/// # Errors
/// As for [`emit_float`].
pub fn emit_as_built(as_built: &Frozen, path: &Path, data: &DataWriter, own: &mut DataWriter) -> Result<()> {
    let made = graph(as_built, |value, constant| {
        let stored_as = kept_type(constant);
        let (offset, name) = match data.place_of(constant) {
            Some(offset) => (offset, data.name()),
            None => (append(own, constant)?, own.name()),
        };
        Ok(stored(value, ConstantPlace { offset, stored: stored_as }, name))
    })?;
    write(&model(made), path)
}

/// Appends the numbers of a constant to a data file, and returns their offset in bytes.
fn append(data: &mut DataWriter, constant: &Constant) -> Result<u64> {
    data.append_constant(constant, || constant.to_bytes_of(kept_type(constant)))
}

/// The float model of a graph in one piece, with all constants in it: for graphs of few nodes.
///
/// # Errors
/// An operator has no form in ONNX, which is a defect.
pub fn float_bytes(own: &Graph) -> Result<Vec<u8>> {
    let made = graph(own, |value, constant| {
        let kind = DataType::of_element(value.element);
        Ok(small_tensor(&value.name, kind, &value.shape, constant.to_le_bytes().to_vec()))
    })?;
    Ok(encode(&model(made)))
}

/// The tensor of a constant in a data file.
pub(crate) fn stored(value: &Value, ConstantPlace { offset, stored }: ConstantPlace, data: &str) -> TensorProto {
    let bytes = stored.bytes() * value.shape.iter().product::<usize>();
    stored_tensor(&stored_name(value, stored), DataType::of_stored(stored), &value.shape, offset, bytes, data)
}

/// The name of a constant's tensor: that of the value, where no Cast makes it.
pub(crate) fn stored_name(value: &Value, stored: StoredType) -> String {
    if stored == StoredType::of(value.element) { value.name.clone() } else { format!("{}/stored", value.name) }
}

/// The float model of a graph; `store` gives the tensor of a constant.
///
/// # Errors
/// Those of `store`, and a graph that was not legalized.
pub(crate) fn graph(
    graph: &Graph,
    mut store: impl FnMut(&Value, &Constant) -> Result<TensorProto>,
) -> Result<GraphProto> {
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
            let tensor = store(value, constant)?;
            if tensor.data_type != DataType::of_element(value.element).0 {
                let (from, to) = (tensor.name.clone(), value.name.clone());
                made.node.push(node(
                    "Cast",
                    &value.name,
                    vec![from],
                    vec![to],
                    vec![int("to", DataType::FLOAT.0 as usize)],
                ));
            }
            made.initializer.push(tensor);
        }
    }
    for ir in graph.nodes() {
        let names = |ids: &[ValueId]| ids.iter().map(|&id| graph.value(id).name.clone()).collect();
        let shapes: Vec<_> = ir.inputs.iter().map(|&id| &graph.value(id).shape).collect();
        let (nodes, extra) = nodes::emit(ir, &shapes, names(&ir.inputs), names(&ir.outputs))?;
        made.node.extend(nodes);
        made.initializer.extend(extra);
    }
    Ok(made)
}
