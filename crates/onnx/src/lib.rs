//! The ONNX file format: messages, model files in binary and text form, and tensors that stand in files of their own. What operators mean is not known here.
//!
//! The messages are those of `onnx-ml.proto3` as the Python package `onnx` 1.23.2 publishes it (`proto/`, Apache-2.0).
//! They are committed as `prost` generates them, so that no build has to: a test makes them again and compares.

mod data;
mod file;
#[rustfmt::skip]
#[allow(missing_docs, clippy::all)]
mod generated;
mod raised;
pub mod text;

pub use data::{Bytes, DataFiles, Outside};
pub use file::{LARGEST_MODEL, decode, encode, encode_as, is_model, read};

/// The messages. The schema says what each field means (`proto/onnx-ml.proto3`).
pub use generated::*;
/// Messages in bytes.
pub use prost::Message;
pub use raised::{note_cut_off, raise};
