//! Format 0.6.1: maps from a name to one encoding for each channel, with numbers that follow from each other.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::entry::{Entry, Lists, Pairs, Truth, Whole};
use autoneural_base::error::Result;

#[derive(Deserialize)]
struct File {
    activation_encodings: Pairs<Value>,
    param_encodings: Pairs<Value>,
}

/// The encoding of one channel.
#[derive(Deserialize)]
struct Channel {
    bitwidth: u32,
    dtype: Option<String>,
    is_symmetric: Option<Truth>,
    scale: Option<f32>,
    offset: Option<Whole>,
    min: Option<f64>,
    max: Option<f64>,
}

/// Reads a file.
///
/// # Errors
/// Malformed JSON, a list that is missing.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Lists> {
    let File { activation_encodings, param_encodings } = autoneural_base::text::json(path, bytes)?;
    let entries = |pairs: Pairs<Value>| pairs.0.into_iter().map(|(name, value)| (name, entry(value))).collect();
    Ok(Lists { activations: entries(activation_encodings), params: entries(param_encodings), either: vec![] })
}

fn entry(value: Value) -> Result<Entry, String> {
    if value.is_object() {
        return Err("is a module with inputs and outputs, as in AIMET's *_torch.encodings; \
             give the file beside it, whose names are those of tensors"
            .into());
    }
    let channels: Vec<Channel> = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let first = channels.first().ok_or("has no encoding")?;
    let (bits, signed) = (first.bitwidth, first.is_symmetric.map(|Truth(symmetric)| symmetric));
    if let Some(dtype) = channels.iter().filter_map(|channel| channel.dtype.as_deref()).find(|dtype| *dtype != "int") {
        return Err(format!("dtype {dtype} is not known"));
    }
    if channels.iter().any(|other| other.bitwidth != bits || other.is_symmetric != first.is_symmetric) {
        return Err("has channels of different bits or kinds".into());
    }
    let (mut scale, mut offset) = (Vec::new(), Vec::new());
    for channel in &channels {
        let (one, zero) = channel.scale_and_offset(bits)?;
        scale.push(one);
        offset.push(zero);
    }
    let per_channel = scale.len() > 1;
    Ok(Entry { bits, signed, symmetric: signed == Some(true), scale, offset, per_channel, axis: None, block: None })
}

impl Channel {
    /// As they stand, or from the range where they do not.
    fn scale_and_offset(&self, bits: u32) -> Result<(f32, i64), String> {
        if let (Some(scale), Some(Whole(offset))) = (self.scale, self.offset) {
            return Ok((scale, offset));
        }
        let (Some(min), Some(max)) = (self.min, self.max) else {
            return Err("has neither scale and offset nor min and max".into());
        };
        let scale = (max - min) / (2f64.powi(bits.min(32) as i32) - 1.0);
        Ok((
            self.scale.unwrap_or(scale as f32),
            self.offset.map_or((min / scale).round() as i64, |Whole(offset)| offset),
        ))
    }
}
