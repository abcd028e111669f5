//! The text form of models, as protobuf defines it and `onnx.save(model, path, format="textproto")` writes it: for bug
//! reports and fixtures, which people read.
//!
//! The crate `protobuf` prints and parses it, on messages that it makes of the schema's descriptors at run time; binary
//! bytes lead from them to the types of this crate and back. What that crate does not take (lists, `field: {`, numbers
//! of enumerations, octal numbers, large floats) or takes without a bound (nesting, messages) is seen to before
//! (`plain`), and what it prints otherwise than protobuf says, behind it (`printed`).

mod plain;
mod printed;
mod schema;
mod token;

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use prost::Message as _;
use protobuf::text_format;

use crate::ModelProto;
use schema::Schema;

/// Largest text that is read or written, in bytes.
pub const LARGEST: u64 = 64 << 20;

/// Extensions of files in the text form; those that the Python package `onnx` knows.
pub const EXTENSIONS: [&str; 4] = ["textproto", "txtpb", "pbtxt", "prototxt"];

/// Whether a file is in the text form, by its name.
pub fn is_text(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// The model that a text is; `path` is where it is.
///
/// # Errors
/// With the line: what is no text form, fields that there are not, values that do not fit, and more than is taken (64
/// MiB, nesting, messages, values).
pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<ModelProto> {
    refuse_large(path, bytes.len())?;
    let text = text::utf8(path, bytes)?;
    let schema = Schema::new()?;
    let at_line = |line: &str, message: &str| {
        Error::input(format!("{}:{line}", path.display()), format!("is no ONNX model in text form: {message}"))
    };
    let plain = plain::plain(&text, &schema.model).map_err(|fault| at_line(&fault.line.to_string(), &fault.message))?;
    drop(text);
    let mut message = schema.model.new_instance();
    text_format::merge_from_str(&mut *message, &plain).map_err(|error| {
        // It says the line, the column, and what it is.
        let said = error.to_string();
        let mut parts = said.splitn(3, ':');
        let (line, what) = (parts.next().unwrap_or("1"), parts.nth(1).unwrap_or_default());
        at_line(line, what.trim())
    })?;
    drop(plain);
    let bytes = message.write_to_bytes_dyn().map_err(|error| Error::internal(path.display(), error.to_string()))?;
    drop(message);
    ModelProto::decode(bytes.as_slice()).map_err(|error| Error::internal(path.display(), error.to_string()))
}

/// A model in text form; `path` is where it is or goes.
///
/// # Errors
/// A model that is too large for people to read: see [`LARGEST`].
pub fn print(path: &Path, model: &ModelProto) -> Result<String> {
    // The longest that a byte becomes is an escape of four; numbers in lists may become longer.
    refuse_large(path, model.encoded_len())?;
    let schema = Schema::new()?;
    let bytes = crate::encode(model);
    schema::refuse_many(&bytes, &schema.model).map_err(|message| large(path, &message))?;
    let mut message = schema.model.new_instance();
    message.merge_from_bytes_dyn(&bytes).map_err(|error| Error::internal(path.display(), error.to_string()))?;
    drop(bytes);
    let text = printed::as_protobuf_says(&text_format::print_to_string_pretty(&*message));
    refuse_large(path, text.len())?;
    Ok(text)
}

fn refuse_large(path: &Path, bytes: usize) -> Result<()> {
    match bytes as u64 > LARGEST {
        true => Err(large(path, &format!("has more than {}", text::bytes(LARGEST)))),
        false => Ok(()),
    }
}

fn large(path: &Path, message: &str) -> Error {
    Error::input(path.display(), format!("{message}, which is too large for the text form"))
        .help("the binary form (.onnx) has no such bound; weights in a data file beside the model are not counted")
}
