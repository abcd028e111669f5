//! Format 1.0.0: two lists of entries. It is also what is written.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Lists, Truth, Whole};
use autoneural_base::error::{Error, Result};
use autoneural_core::encoding::Encoding;

/// What stands for this format in a file.
pub(crate) const VERSION: &str = "1.0.0";

/// What a scale for each block of input channels is called.
pub(crate) const BLOCKS: &str = "PER_BLOCK";
/// What whole multiples of a scale per channel are called.
const MULTIPLES: &str = "LPBQ";

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
    /// Bits of the integers, where `bw` are those of the integers of one scale per channel.
    #[serde(default, skip_serializing)]
    compressed_bw: Option<u32>,
    #[serde(default, skip_serializing)]
    per_block_int_scale: Vec<Whole>,
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
        compressed_bw: None,
        per_block_int_scale: vec![],
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

fn entry(mut written: Written) -> Result<Entry, String> {
    if !written.dtype.eq_ignore_ascii_case("INT") {
        return Err(format!("dtype {} is not known", written.dtype));
    }
    let per_channel = match written.enc_type.as_str() {
        "PER_TENSOR" => false,
        "PER_CHANNEL" => true,
        BLOCKS | MULTIPLES if written.block_size.is_none_or(|size| size == 0) => {
            return Err(format!("enc_type {} needs a block_size above 0", written.enc_type));
        }
        BLOCKS => true,
        MULTIPLES => {
            unfold(&mut written)?;
            true
        }
        kind => {
            return Err(format!("enc_type {kind} is not known; PER_TENSOR, PER_CHANNEL, {BLOCKS} and {MULTIPLES} are"));
        }
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
        block: written.block_size.filter(|_| [BLOCKS, MULTIPLES].contains(&written.enc_type.as_str())),
    })
}

/// Multiples of a scale per channel as scales of blocks.
fn unfold(written: &mut Written) -> Result<(), String> {
    let (channels, multiples) = (written.scale.len(), &written.per_block_int_scale);
    if channels == 0 || multiples.is_empty() || !multiples.len().is_multiple_of(channels) {
        return Err(format!("{} multiples (per_block_int_scale) do not fit {channels} scales", multiples.len()));
    }
    let middle = -(1i64 << written.bw.clamp(1, 32).saturating_sub(1));
    if let Some(Whole(offset)) = written.offset.iter().find(|Whole(offset)| *offset != middle) {
        return Err(format!("has the offset {offset}; weights in blocks are symmetric, their offset is {middle}"));
    }
    let scale = unfolded(multiples, |at| written.scale[at / (multiples.len() / channels)])?;
    written.bw = written.compressed_bw.ok_or("has no compressed_bw")?;
    written.offset = vec![Whole(-(1i64 << written.bw.clamp(1, 32).saturating_sub(1))); scale.len()];
    written.scale = scale;
    Ok(())
}

/// Scales that are multiples, from 1 to 2^16, of others, by their place.
///
/// # Errors
/// A multiple is none of these.
pub(crate) fn unfolded(multiples: &[Whole], scale: impl Fn(usize) -> f32) -> Result<Vec<f32>, String> {
    let one = |(at, Whole(multiple)): (usize, &Whole)| match (1..=1 << 16).contains(multiple) {
        true => Ok(*multiple as f32 * scale(at)),
        false => Err(format!("{multiple} (per_block_int_scale) is no multiple of a scale; 1 to 16 are")),
    };
    multiples.iter().enumerate().map(one).collect()
}
