//! The header of a safetensors file. Nothing it says is believed before it is checked against the size of the file, and
//! every fault is told with the tensor and the numbers that do not fit.

use std::collections::BTreeSet;
use std::fmt;

use safetensors::tensor::TensorInfo;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Largest header that is read; the format's own limit.
const LARGEST: usize = 100_000_000;
/// Key of free text in the header.
const METADATA: &str = "__metadata__";

/// What is wrong with a header, and with which of its tensors.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    /// The tensor, if it is one that is wrong.
    pub tensor: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// A tensor as the header describes it.
pub(crate) struct Entry {
    /// Its name.
    pub name: String,
    /// Type, shape and place after the header.
    pub info: TensorInfo,
    /// First byte in the file.
    pub start: usize,
}

/// Reads the header of a whole file: 8 bytes of length, JSON, then the data of the tensors without gaps.
///
/// # Errors
/// A header that is truncated or no JSON; a tensor that stands twice, is of an unknown type, or whose bytes are not
/// those of its shape, not in the file, or not its own.
pub(crate) fn read(file: &[u8]) -> Result<Vec<Entry>, Fault> {
    let fail = |message: String| Fault { tensor: None, message };
    let Some((length, rest)) = file.split_first_chunk::<8>() else {
        return Err(fail(format!("has {} bytes; a safetensors file has at least 8", file.len())));
    };
    let length = u64::from_le_bytes(*length);
    let wanted = usize::try_from(length).ok().filter(|&wanted| wanted <= rest.len());
    let Some((header, data)) = wanted.and_then(|wanted| rest.split_at_checked(wanted)) else {
        return Err(fail(format!("says that its header has {length} bytes, after which come only {}", rest.len())));
    };
    if header.len() > LARGEST {
        return Err(fail(format!("has a header of {length} bytes; at most {LARGEST} are read")));
    }
    let header_end = 8 + header.len();
    let Pairs(pairs) =
        serde_json::from_slice(header).map_err(|e| fail(format!("has a header that is no JSON: {e}")))?;
    let mut names = BTreeSet::new();
    let mut entries = Vec::new();
    for (name, value) in pairs.into_iter().filter(|(name, _)| name != METADATA) {
        let entry = check(value, data.len())
            .and_then(
                |info| if names.insert(name.clone()) { Ok(info) } else { Err("stands twice in the header".into()) },
            )
            .map(|info| Entry { name: name.clone(), start: header_end + info.data_offsets.0, info });
        entries.push(entry.map_err(|message| Fault { tensor: Some(name), message })?);
    }
    entries.sort_by_key(|entry| entry.info.data_offsets);
    refuse_gaps(&entries, data.len())?;
    Ok(entries)
}

fn check(value: Value, data: usize) -> Result<TensorInfo, String> {
    let info: TensorInfo = serde_json::from_value(value).map_err(|e| format!("is described wrongly: {e}"))?;
    let (start, end) = info.data_offsets;
    if start > end || end > data {
        return Err(format!("is said to be bytes {start} to {end} of the data, which has {data}"));
    }
    let bits = info.shape.iter().try_fold(info.dtype.bitsize(), |product, &size| product.checked_mul(size));
    match bits {
        None => Err(format!("has the impossible shape {:?}", info.shape)),
        Some(bits) if bits.div_ceil(8) != end - start => {
            let dtype = format!("{:?}", info.dtype).to_lowercase();
            let needed = bits.div_ceil(8);
            Err(format!(
                "of shape {:?} and type {dtype} has {needed} bytes, the header gives it {}",
                info.shape,
                end - start
            ))
        }
        Some(_) => Ok(info),
    }
}

/// Refuses tensors that share bytes and bytes that belong to no tensor.
fn refuse_gaps(entries: &[Entry], data: usize) -> Result<(), Fault> {
    let mut before: Option<&Entry> = None;
    for entry in entries {
        let (start, expected) = (entry.info.data_offsets.0, before.map_or(0, |entry| entry.info.data_offsets.1));
        let message = match (start.cmp(&expected), before) {
            (std::cmp::Ordering::Less, Some(before)) => format!("shares bytes with `{}`", before.name),
            (std::cmp::Ordering::Greater, _) => format!("leaves {} unused bytes before it", start - expected),
            _ => {
                before = Some(entry);
                continue;
            }
        };
        return Err(Fault { tensor: Some(entry.name.clone()), message });
    }
    let end = before.map_or(0, |entry| entry.info.data_offsets.1);
    if end < data {
        let message = format!("has {} bytes at its end that belong to no tensor", data - end);
        return Err(Fault { tensor: None, message });
    }
    Ok(())
}

/// A JSON object with its keys as they stand, also those that stand twice.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
