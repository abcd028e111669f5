//! Model files.

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use prost::Message;

use crate::ModelProto;

/// Largest model file that is read, external data not counted; protobuf itself ends at 2 GiB.
pub const LARGEST_MODEL: u64 = (2 << 30) - 1;

/// Reads a model file (without its external data).
///
/// # Errors
/// A file that is no ONNX model, or a larger one than [`LARGEST_MODEL`].
pub fn read(path: &Path) -> Result<ModelProto> {
    decode(path, &text::read_at_most(path, LARGEST_MODEL)?)
}

/// The model that the bytes of a file are; `path` is where it is.
///
/// # Errors
/// As for [`read`].
pub fn decode(path: &Path, bytes: &[u8]) -> Result<ModelProto> {
    let made = ModelProto::decode(bytes)
        .map_err(|error| Error::input(path.display(), format!("is no ONNX model: {error}")))?;
    match made.graph {
        Some(_) => Ok(made),
        None => Err(Error::input(path.display(), "is no ONNX model: it has no graph")),
    }
}
