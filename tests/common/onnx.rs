//! Small ONNX files as other programs write them, node by node.

use std::path::Path;

use autoneural_onnx::attribute_proto::AttributeType;
use autoneural_onnx::tensor_shape_proto::{Dimension, dimension};
use autoneural_onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};
use prost::Message;

/// Types of elements, by their numbers in ONNX.
pub const FLOAT: i32 = 1;
pub const INT64: i32 = 7;
pub const BOOL: i32 = 9;

/// A constant of real numbers.
pub fn reals(name: &str, dims: &[i64], values: Vec<f32>) -> TensorProto {
    TensorProto { name: name.into(), data_type: FLOAT, dims: dims.to_vec(), float_data: values, ..Default::default() }
}

/// A constant of integers in a row.
pub fn integers(name: &str, values: &[i64]) -> TensorProto {
    let dims = vec![values.len() as i64];
    TensorProto { name: name.into(), data_type: INT64, dims, int64_data: values.to_vec(), ..Default::default() }
}

fn port(&(name, elem_type, sizes): &(&str, i32, &[i64])) -> ValueInfoProto {
    let axis = |&size: &i64| Dimension { value: Some(dimension::Value::DimValue(size)), ..Default::default() };
    let tensor =
        type_proto::Tensor { elem_type, shape: Some(TensorShapeProto { dim: sizes.iter().map(axis).collect() }) };
    let r#type = Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() });
    ValueInfoProto { name: name.into(), r#type, ..Default::default() }
}

/// A node from `name: Op a b key=1 list=1,2 -> c`: a number is an integer, several are a list.
fn node(text: &str) -> NodeProto {
    let (name, rest) = text.split_once(": ").unwrap();
    let (left, right) = rest.split_once(" -> ").unwrap();
    let mut made = NodeProto { name: name.into(), ..Default::default() };
    for (at, word) in left.split(' ').enumerate() {
        match word.split_once('=') {
            Some((name, value)) => {
                let ints: Vec<i64> = value.split(',').map(|one| one.parse().unwrap()).collect();
                let name = name.into();
                made.attribute.push(match ints[..] {
                    [i] => AttributeProto { name, r#type: AttributeType::Int as i32, i, ..Default::default() },
                    _ => AttributeProto { name, r#type: AttributeType::Ints as i32, ints, ..Default::default() },
                });
            }
            None if at == 0 => made.op_type = word.into(),
            None => made.input.push(word.into()),
        }
    }
    made.output = right.split(' ').map(String::from).collect();
    made
}

/// Names, types and shapes of inputs or outputs.
type Ports<'a> = &'a [(&'a str, i32, &'a [i64])];

/// Writes a model of operator set 17.
pub fn write(path: &Path, inputs: Ports, constants: Vec<TensorProto>, nodes: &[&str], outputs: Ports) {
    let graph = GraphProto {
        name: "g".into(),
        node: nodes.iter().map(|text| node(text)).collect(),
        initializer: constants,
        input: inputs.iter().map(port).collect(),
        output: outputs.iter().map(port).collect(),
        ..Default::default()
    };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
    let model = ModelProto { ir_version: 8, graph: Some(graph), opset_import, ..Default::default() };
    std::fs::write(path, model.encode_to_vec()).unwrap();
}
