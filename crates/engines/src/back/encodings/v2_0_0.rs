//! Format 2.0.0: one list, whose entries are the attributes of ONNX `QuantizeLinear`: `x = (q - y_zero_point) *
//! y_scale`.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::entry::{Entry, Lists, Whole};
use super::v1_0_0::unfolded;
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
    let block = match written.block_size.as_ref().filter(|size| size.as_i64() != Some(0)) {
        Some(size) => Some(size.as_u64().ok_or_else(|| format!("block_size {size} is impossible"))? as usize),
        None => None,
    };
    let dtype = written.output_dtype.to_ascii_lowercase();
    let (signed, bits) = match dtype.strip_prefix("uint").map(|bits| (false, bits)) {
        Some(found) => found,
        None => (true, dtype.strip_prefix("int").unwrap_or_default()),
    };
    let bits: u32 = bits.parse().map_err(|_| format!("output_dtype {} is not known", written.output_dtype))?;
    if !(1..=32).contains(&bits) {
        return Err(format!("{bits} bits are not known"));
    }
    let scale: Vec<f32> = match (&written.per_block_int_scale, &written.per_channel_float_scale) {
        (Some(multiples), Some(scales)) => {
            if block.is_none() || written.axis.is_none() {
                return Err("has multiples (per_block_int_scale), which need axis and block_size".into());
            }
            let (counts, of_scales) = (shape(multiples), shape(scales));
            let (scales, multiples): (Vec<f32>, Vec<Whole>) = (numbers(scales)?, numbers(multiples)?);
            let place = place_in((&counts, multiples.len()), (&of_scales, scales.len()))?;
            unfolded(&multiples, |at| scales[place(at)])?
        }
        (None, None) => numbers(written.y_scale.as_ref().ok_or("has no y_scale")?)?,
        _ => return Err("has one of per_block_int_scale and per_channel_float_scale; both or none are wanted".into()),
    };
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
    Ok(Entry { bits, signed: Some(signed), symmetric, scale, offset, per_channel, axis: written.axis, block })
}

/// Sizes of nested lists, by the first of each.
fn shape(value: &Value) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut at = Some(value);
    while let Some(list) = at.and_then(Value::as_array).filter(|_| sizes.len() < 8) {
        sizes.push(list.len());
        at = list.first();
    }
    sizes
}

/// The place in lists of sizes `of`, some of which are 1, for a place in lists of sizes `counts`; both with their number
/// of elements.
///
/// # Errors
/// The lists are not all as long as the first, or do not fit each other.
fn place_in(
    (counts, all): (&[usize], usize),
    (of, of_all): (&[usize], usize),
) -> Result<impl Fn(usize) -> usize + use<>, String> {
    let product = |sizes: &[usize]| sizes.iter().fold(1usize, |product, &size| product.saturating_mul(size));
    let fits = counts.len() == of.len() && counts.iter().zip(of).all(|(count, of)| of == count || *of == 1);
    if !fits || product(counts) != all || product(of) != of_all {
        return Err(format!("multiples of {counts:?} do not fit scales of {of:?}"));
    }
    let (counts, of) = (counts.to_vec(), of.to_vec());
    Ok(move |place: usize| {
        let (mut rest, mut made, mut stride) = (place, 0, 1);
        for (&count, &of) in counts.iter().zip(&of).rev() {
            let index = rest % count;
            rest /= count;
            made += if of == 1 { 0 } else { index * stride };
            stride *= of;
        }
        made
    })
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
