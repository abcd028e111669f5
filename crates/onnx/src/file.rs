//! Model files.

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use prost::Message;

use crate::{ModelProto, text as text_form};

/// Largest model file that is read, external data not counted; protobuf itself ends at 2 GiB.
pub const LARGEST_MODEL: u64 = (2 << 30) - 1;

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

/// The bytes of a file of this name with a model: in text form where the name says so, else in binary.
///
/// # Errors
/// A model that is too large for the text form.
pub fn encode(path: &Path, model: &ModelProto) -> Result<Vec<u8>> {
    match text_form::is_text(path) {
        true => text_form::print(path, model).map(String::into_bytes),
        false => Ok(model.encode_to_vec()),
    }
}
