//! Format 2.0.0: one list, whose entries are the attributes of ONNX `QuantizeLinear`: `x = (q - y_zero_point) *
//! y_scale`.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::entry::{Entry, Lists, Whole, in_blocks};
use autoneural_base::error::Result;

#[derive(Deserialize)]
struct File {
    encodings: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    name: String,
    output_dtype: String,
    y_scale: Option<Value>,
    y_zero_point: Option<Value>,
    axis: Option<i64>,
    block_size: Option<Value>,
    per_block_int_scale: Option<Value>,
    per_channel_float_scale: Option<Value>,
}

/// Reads a file.
///
/// # Errors
/// Malformed JSON, a key that is missing.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Lists> {
    let File { encodings } = autoneural_base::text::json(path, bytes)?;
    let either = encodings.into_iter().map(|written| (written.name.clone(), entry(written))).collect();
    Ok(Lists { either, ..Lists::default() })
}

fn entry(written: Written) -> Result<Entry, String> {
    if written.per_block_int_scale.is_some() || written.per_channel_float_scale.is_some() {
        return Err(in_blocks("LPBQ"));
    }
    if written.block_size.as_ref().is_some_and(|size| size.as_i64() != Some(0)) {
        return Err(in_blocks("block_size"));
    }
    let dtype = written.output_dtype.to_ascii_lowercase();
    let (signed, bits) = match dtype.strip_prefix("uint").map(|bits| (false, bits)) {
        Some(found) => found,
        None => (true, dtype.strip_prefix("int").unwrap_or_default()),
    };
    let bits: u32 = bits.parse().map_err(|_| format!("output_dtype {} is not known", written.output_dtype))?;
    if !(1..=32).contains(&bits) {
        return Err(format!("{bits} bits are not known"));
    }
    let scale: Vec<f32> = numbers(written.y_scale.as_ref().ok_or("has no y_scale")?)?;
    let zero_point: Vec<Whole> = match &written.y_zero_point {
        Some(value) if !value.is_null() => numbers(value)?,
        _ => vec![Whole(0); scale.len()],
    };
    let symmetric = signed && zero_point.iter().all(|&Whole(zero_point)| zero_point == 0);
    // What has a sign is counted from its lowest integer here.
    let shift = if signed { 1i64 << (bits - 1) } else { 0 };
    let offset =
        zero_point.iter().map(|&Whole(zero_point)| 0i64.saturating_sub(zero_point).saturating_sub(shift)).collect();
    let per_channel = written.axis.is_some();
    Ok(Entry { bits, signed: Some(signed), symmetric, scale, offset, per_channel, axis: written.axis, block: None })
}

/// A number, or a list of them, which may be nested as the axes of the tensor are.
fn numbers<T: serde::de::DeserializeOwned>(value: &Value) -> Result<Vec<T>, String> {
    fn collect<T: serde::de::DeserializeOwned>(value: &Value, depth: usize, made: &mut Vec<T>) -> Result<(), String> {
        match value {
            Value::Array(values) if depth < 8 => values.iter().try_for_each(|value| collect(value, depth + 1, made)),
            value => {
                made.push(T::deserialize(value).map_err(|error| error.to_string())?);
                Ok(())
            }
        }
    }
    let mut made = Vec::new();
    collect(value, 0, &mut made).map(|()| made)
}
