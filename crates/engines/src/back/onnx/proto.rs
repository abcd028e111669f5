//! Small makers of ONNX protobuf messages, and reading them back.

use std::collections::BTreeMap;
use std::path::Path;

use autoneural_onnx::attribute_proto::AttributeType;
use autoneural_onnx::tensor_proto::DataLocation;
use autoneural_onnx::tensor_shape_proto::{Dimension, dimension};
use autoneural_onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

use super::data::DataWriter;
use autoneural_base::error::Result;
use autoneural_core::encoding::IntegerType;
use autoneural_core::ir::ops::Attribute;
use autoneural_core::ir::{ElementType, StoredType};

/// ONNX operator set of everything emitted: the first with `RMSNormalization`.
const OPSET: i64 = 23;
/// ONNX IR version that belongs to it.
const IR_VERSION: i64 = 11;

/// ONNX `TensorProto.DataType` numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataType(pub i32);

impl DataType {
    /// float32.
    pub(crate) const FLOAT: DataType = DataType(1);
    /// int64.
    pub(crate) const INT64: DataType = DataType(7);

    /// The type of elements that are stored in this one.
    pub(crate) fn of_stored(stored: StoredType) -> Self {
        DataType(match stored {
            StoredType::F16 => 10,
            StoredType::Bf16 => 16,
            StoredType::F8E4m3 => 17,
            StoredType::F8E5m2 => 19,
            StoredType::F32 | StoredType::I32 | StoredType::I64 | StoredType::Bool => {
                return Self::of_element(stored.element());
            }
        })
    }

    /// How elements of this type are stored, if float models have such.
    pub(crate) fn stored(self) -> Option<StoredType> {
        let all =
            [StoredType::F32, StoredType::F16, StoredType::Bf16, StoredType::I32, StoredType::I64, StoredType::Bool];
        all.into_iter().find(|stored| Self::of_stored(*stored) == self)
    }

    /// The type of elements that have no encoding.
    pub(crate) fn of_element(element: ElementType) -> Self {
        DataType(match element {
            ElementType::F32 => 1,
            ElementType::I32 => 6,
            ElementType::I64 => 7,
            ElementType::Bool => 9,
        })
    }

    /// The type of an encoding's integers.
    pub(crate) fn of(integer: IntegerType) -> Self {
        DataType(match integer {
            IntegerType::Uint8 => 2,
            IntegerType::Int8 => 3,
            IntegerType::Uint16 => 4,
            IntegerType::Int16 => 5,
            IntegerType::Int32 => 6,
            IntegerType::Int4 => 22,
        })
    }
}

/// Tensors of at least this many bytes go to the external file.
const EXTERNAL_FROM: usize = 1024;

/// A tensor of little-endian bytes. A large one is appended to `data`.
///
/// # Errors
/// The data file cannot be written.
pub(crate) fn tensor(
    name: &str,
    kind: DataType,
    shape: &[usize],
    bytes: &[u8],
    data: &mut DataWriter,
) -> Result<TensorProto> {
    if bytes.len() < EXTERNAL_FROM {
        return Ok(small_tensor(name, kind, shape, bytes.to_vec()));
    }
    Ok(stored_tensor(name, kind, shape, data.append(bytes)?, bytes.len(), data.name()))
}

/// A tensor of few bytes, in the model itself.
pub(crate) fn small_tensor(name: &str, kind: DataType, shape: &[usize], bytes: Vec<u8>) -> TensorProto {
    TensorProto { raw_data: bytes, ..header(name, kind, shape) }
}

/// A tensor whose bytes are already in the data file of this name.
pub(crate) fn stored_tensor(
    name: &str,
    kind: DataType,
    shape: &[usize],
    offset: u64,
    bytes: usize,
    data: &str,
) -> TensorProto {
    let mut made = header(name, kind, shape);
    place_outside(&mut made, offset, bytes, data);
    made
}

fn header(name: &str, kind: DataType, shape: &[usize]) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        data_type: kind.0,
        dims: shape.iter().map(|&size| size as i64).collect(),
        ..TensorProto::default()
    }
}

fn place_outside(tensor: &mut TensorProto, offset: u64, bytes: usize, data: &str) {
    let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_string(), value };
    tensor.external_data = vec![
        entry("location", data.to_string()),
        entry("offset", offset.to_string()),
        entry("length", bytes.to_string()),
    ];
    tensor.data_location = DataLocation::External as i32;
}

/// A graph input or output.
pub(crate) fn value_info(name: &str, kind: DataType, shape: &[usize]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|&size| Dimension { value: Some(dimension::Value::DimValue(size as i64)), ..Dimension::default() })
        .collect();
    let tensor = type_proto::Tensor { elem_type: kind.0, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

/// A node of the standard operator set.
pub(crate) fn node(
    op: &str,
    name: &str,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        name: name.into(),
        input: inputs,
        output: outputs,
        attribute,
        ..NodeProto::default()
    }
}

/// An integer attribute other than zero (see [`axis`]).
pub(crate) fn int(name: &str, value: usize) -> AttributeProto {
    debug_assert_ne!(value, 0);
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int as i32,
        i: value as i64,
        ..AttributeProto::default()
    }
}

/// The attribute `axis`, counted from the end. Counted from the front, axis 0 would be lost: these messages leave zeros
/// out, and readers that know absent from zero then take the operator's default.
pub(crate) fn axis(axis: usize, rank: usize) -> AttributeProto {
    let i = axis as i64 - rank as i64;
    AttributeProto { name: "axis".into(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

/// The attribute of an operator.
pub(crate) fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut made = AttributeProto { name: name.into(), ..AttributeProto::default() };
    let kind = match value {
        Attribute::Int(value) => {
            made.i = *value;
            AttributeType::Int
        }
        Attribute::Ints(values) => {
            made.ints.clone_from(values);
            AttributeType::Ints
        }
        Attribute::Float(value) => {
            made.f = *value;
            AttributeType::Float
        }
        Attribute::Floats(values) => {
            made.floats.clone_from(values);
            AttributeType::Floats
        }
        Attribute::Text(value) => {
            made.s = value.as_bytes().to_vec();
            AttributeType::String
        }
        Attribute::Texts(values) => {
            made.strings = values.iter().map(|value| value.as_bytes().to_vec()).collect();
            AttributeType::Strings
        }
    };
    made.r#type = kind as i32;
    made
}

/// A model of one graph, in this crate's operator set.
pub(crate) fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        producer_name: autoneural_base::version::PROGRAM.into(),
        producer_version: autoneural_base::version::VERSION.into(),
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// Writes a model file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(model: &ModelProto, path: &Path) -> Result<()> {
    autoneural_base::files::write(path, &autoneural_onnx::encode(model))
}

/// Number of nodes by operator.
pub fn op_counts(model: &ModelProto) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for node in model.graph.iter().flat_map(|graph| &graph.node) {
        *counts.entry(node.op_type.clone()).or_insert(0) += 1;
    }
    counts
}

/// One tensor of a model's border: name, element type, sizes.
pub fn summary(info: &ValueInfoProto) -> (String, &'static str, Vec<i64>) {
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return (info.name.clone(), "?", vec![]);
    };
    let kind = match tensor.elem_type {
        1 => "float32",
        2 => "uint8",
        3 => "int8",
        4 => "uint16",
        5 => "int16",
        6 => "int32",
        7 => "int64",
        9 => "bool",
        10 => "float16",
        16 => "bfloat16",
        21 => "uint4",
        22 => "int4",
        _ => "other",
    };
    let sizes = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let sizes = sizes.map(|dim| match dim.value {
        Some(dimension::Value::DimValue(size)) => size,
        _ => -1,
    });
    (info.name.clone(), kind, sizes.collect())
}
