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

/// The bytes of a model file in binary form. Attributes that are zero are written out: these messages leave zeros out, and readers
/// that know absent from zero would take the operator's default.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    let field = |tag: u8, inner: Vec<u8>, to: &mut Vec<u8>| {
        to.push(tag << 3 | 2);
        prost::encoding::encode_varint(inner.len() as u64, to);
        to.extend(inner);
    };
    let attribute = |one: &AttributeProto| {
        let mut made = one.encode_to_vec();
        let zero: &[u8] = match AttributeType::try_from(one.r#type) {
            Ok(AttributeType::Int) if one.i == 0 => &[3 << 3, 0],
            Ok(AttributeType::Float) if one.f == 0.0 => &[2 << 3 | 5, 0, 0, 0, 0],
            Ok(AttributeType::String) if one.s.is_empty() => &[4 << 3 | 2, 0],
            _ => &[],
        };
        made.extend_from_slice(zero);
        made
    };
    let Some(graph) = &model.graph else { return model.encode_to_vec() };
    let mut graph_bytes = GraphProto { node: vec![], ..graph.clone() }.encode_to_vec();
    for node in &graph.node {
        let mut made = NodeProto { attribute: vec![], ..node.clone() }.encode_to_vec();
        node.attribute.iter().for_each(|one| field(5, attribute(one), &mut made));
        field(1, made, &mut graph_bytes);
    }
    let mut made = ModelProto { graph: None, ..model.clone() }.encode_to_vec();
    field(7, graph_bytes, &mut made);
    made
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
