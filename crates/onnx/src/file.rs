//! Model files.

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use prost::Message;

use crate::attribute_proto::AttributeType;
use crate::{AttributeProto, GraphProto, ModelProto, NodeProto, text as text_form};

/// Largest model file that is read, external data not counted; protobuf itself ends at 2 GiB.
pub const LARGEST_MODEL: u64 = (2 << 30) - 1;

/// Whether a file is an ONNX model in binary or text form, by its name.
pub fn is_model(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) || text_form::is_text(path)
}

/// Reads a model file (without its external data), in binary or, where its name says so, in text form.
///
/// # Errors
/// A file that is no ONNX model, or a larger one than [`LARGEST_MODEL`] or [`text_form::LARGEST`].
pub fn read(path: &Path) -> Result<ModelProto> {
    let most = if text_form::is_text(path) { text_form::LARGEST } else { LARGEST_MODEL };
    decode(path, text::read_at_most(path, most)?)
}

/// The model that the bytes of a file are; `path` is where it is, and says which form they have.
///
/// # Errors
/// As for [`read`].
pub fn decode(path: &Path, bytes: Vec<u8>) -> Result<ModelProto> {
    let made = match text_form::is_text(path) {
        true => text_form::parse(path, bytes)?,
        false => ModelProto::decode(bytes.as_slice())
            .map_err(|error| Error::input(path.display(), format!("is no ONNX model: {error}")))?,
    };
    match made.graph {
        Some(_) => Ok(made),
        None => Err(Error::input(path.display(), "is no ONNX model: it has no graph")),
    }
}

/// The bytes of a model file in binary form, in the order of protobuf's fields. Attributes that are zero are written out:
/// these messages leave zeros out, and readers that know absent from zero would take the operator's default.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    let mut made = before_graph(model).encode_to_vec();
    if let Some(graph) = &model.graph {
        let mut nodes = Vec::new();
        graph.node.iter().for_each(|one| field(1, &node(one), &mut nodes));
        let rest = GraphProto { node: vec![], ..graph.clone() };
        nodes.extend(rest.encode_to_vec());
        field(7, &nodes, &mut made);
    }
    made.extend(behind_graph(model).encode_to_vec());
    made
}

/// The fields of a model that have smaller numbers than its graph.
fn before_graph(model: &ModelProto) -> ModelProto {
    ModelProto {
        ir_version: model.ir_version,
        producer_name: model.producer_name.clone(),
        producer_version: model.producer_version.clone(),
        domain: model.domain.clone(),
        model_version: model.model_version,
        doc_string: model.doc_string.clone(),
        ..ModelProto::default()
    }
}

/// Those that have larger ones.
fn behind_graph(model: &ModelProto) -> ModelProto {
    ModelProto {
        opset_import: model.opset_import.clone(),
        metadata_props: model.metadata_props.clone(),
        training_info: model.training_info.clone(),
        functions: model.functions.clone(),
        configuration: model.configuration.clone(),
        ..ModelProto::default()
    }
}

fn node(one: &NodeProto) -> Vec<u8> {
    let behind =
        NodeProto { input: vec![], output: vec![], name: String::new(), op_type: String::new(), ..one.clone() };
    let behind = NodeProto { attribute: vec![], ..behind };
    let (input, output, name, op_type) = (one.input.clone(), one.output.clone(), one.name.clone(), one.op_type.clone());
    let mut made = NodeProto { input, output, name, op_type, ..NodeProto::default() }.encode_to_vec();
    one.attribute.iter().for_each(|one| field(5, &attribute(one), &mut made));
    made.extend(behind.encode_to_vec());
    made
}

fn attribute(one: &AttributeProto) -> Vec<u8> {
    let mut made = one.encode_to_vec();
    let zero: &[u8] = match AttributeType::try_from(one.r#type) {
        Ok(AttributeType::Int) if one.i == 0 => &[3 << 3, 0],
        Ok(AttributeType::Float) if one.f == 0.0 => &[2 << 3 | 5, 0, 0, 0, 0],
        Ok(AttributeType::String) if one.s.is_empty() => &[4 << 3 | 2, 0],
        _ => &[],
    };
    made.extend_from_slice(zero);
    made
}

/// A message as a field of another one.
fn field(tag: u8, inner: &[u8], to: &mut Vec<u8>) {
    to.push(tag << 3 | 2);
    prost::encoding::encode_varint(inner.len() as u64, to);
    to.extend_from_slice(inner);
}

/// The bytes of a file of this name with a model: in text form where the name says so, else in binary.
///
/// # Errors
/// A model that is too large for the text form.
pub fn encode_as(path: &Path, model: &ModelProto) -> Result<Vec<u8>> {
    match text_form::is_text(path) {
        true => text_form::print(path, model).map(String::into_bytes),
        false => Ok(encode(model)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model in which every field that a model, a graph or a node has is there.
    fn model(value: i64) -> ModelProto {
        let text = String::from;
        let attribute =
            AttributeProto { name: text("a"), i: value, r#type: AttributeType::Int as i32, ..Default::default() };
        let one = NodeProto {
            input: vec![text("x")],
            output: vec![text("y")],
            name: text("n"),
            op_type: text("O"),
            attribute: vec![attribute],
            doc_string: text("d"),
            domain: text("own"),
            overload: text("o"),
            metadata_props: vec![Default::default()],
            device_configurations: vec![Default::default()],
        };
        let graph = GraphProto { name: text("g"), node: vec![one.clone(), one], ..Default::default() };
        ModelProto {
            ir_version: 9,
            opset_import: vec![Default::default()],
            producer_name: text("p"),
            producer_version: text("1"),
            domain: text("own"),
            model_version: 2,
            doc_string: text("d"),
            graph: Some(graph),
            metadata_props: vec![Default::default()],
            training_info: vec![Default::default()],
            functions: vec![Default::default()],
            configuration: vec![Default::default()],
        }
    }

    #[test]
    fn bytes_are_those_of_the_messages_but_for_zeros() {
        assert_eq!(encode(&model(3)), model(3).encode_to_vec());
        let zero = encode(&model(0));
        assert_eq!(ModelProto::decode(zero.as_slice()).unwrap(), model(0));
        assert_eq!(zero.len(), encode(&model(3)).len());
    }
}
