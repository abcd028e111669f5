//! Format 1.0.0: two lists of entries. It is also what is written.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Lists, Truth, Whole, in_blocks};
use autoneural_base::error::{Error, Result};
use autoneural_core::encoding::Encoding;

/// What stands for this format in a file.
pub(crate) const VERSION: &str = "1.0.0";

/// What a scale for each block of input channels is called.
pub(crate) const BLOCKS: &str = "PER_BLOCK";

/// A file.
#[derive(Serialize, Deserialize)]
pub(crate) struct File {
    version: String,
    activation_encodings: Vec<Written>,
    param_encodings: Vec<Written>,
    #[serde(default, skip_deserializing)]
    quantizer_args: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    name: String,
    enc_type: String,
    dtype: String,
    bw: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    block_size: Option<usize>,
    #[serde(default)]
    is_sym: Option<Truth>,
    #[serde(default)]
    scale: Vec<f32>,
    #[serde(default)]
    offset: Vec<Whole>,
}

/// A file of these encodings.
pub(crate) fn file<'a>(
    activations: impl Iterator<Item = (&'a String, &'a Encoding)>,
    params: impl Iterator<Item = (&'a String, &'a Encoding)>,
) -> File {
    File {
        version: VERSION.into(),
        activation_encodings: activations.map(write).collect(),
        param_encodings: params.map(write).collect(),
        quantizer_args: serde_json::Map::new(),
    }
}

fn write((name, encoding): (&String, &Encoding)) -> Written {
    let least = encoding.integer.limits().0;
    let symmetric = encoding.integer.is_signed() && encoding.zero_point.iter().all(|&zero_point| zero_point == 0);
    Written {
        name: name.clone(),
        enc_type: match (encoding.axis, encoding.block) {
            (_, Some(_)) => BLOCKS,
            (Some(_), None) => "PER_CHANNEL",
            (None, None) => "PER_TENSOR",
        }
        .into(),
        dtype: "INT".into(),
        bw: encoding.integer.bits(),
        block_size: encoding.block,
        is_sym: Some(Truth(symmetric)),
        scale: encoding.scale.clone(),
        offset: encoding.zero_point.iter().map(|zero_point| Whole(least - zero_point)).collect(),
    }
}

/// Reads a file.
///
/// # Errors
/// Malformed JSON, another version, a list or a key of an entry that is missing.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Lists> {
    let File { version, activation_encodings, param_encodings, .. } = autoneural_base::text::json(path, bytes)?;
    if version != VERSION {
        let message = format!("encodings of version {version} are not read here, only {VERSION}");
        return Err(Error::input(path.display(), message));
    }
    let entries = |list: Vec<Written>| list.into_iter().map(|written| (written.name.clone(), entry(written))).collect();
    Ok(Lists { activations: entries(activation_encodings), params: entries(param_encodings), either: vec![] })
}

fn entry(written: Written) -> Result<Entry, String> {
    if !written.dtype.eq_ignore_ascii_case("INT") {
        return Err(format!("dtype {} is not known", written.dtype));
    }
    let per_channel = match written.enc_type.as_str() {
        "PER_TENSOR" => false,
        "PER_CHANNEL" => true,
        BLOCKS if written.block_size.is_some_and(|size| size > 0) => true,
        kind @ (BLOCKS | "LPBQ") => return Err(in_blocks(kind)),
        kind => return Err(format!("enc_type {kind} is not known; PER_TENSOR and PER_CHANNEL are")),
    };
    let signed = written.is_sym.map(|Truth(symmetric)| symmetric);
    Ok(Entry {
        bits: written.bw,
        signed,
        symmetric: signed == Some(true),
        scale: written.scale,
        offset: written.offset.into_iter().map(|Whole(offset)| offset).collect(),
        per_channel,
        axis: None,
        block: written.block_size.filter(|_| written.enc_type == BLOCKS),
    })
}
