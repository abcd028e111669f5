//! Encodings as JSON in AIMET's format 1.0.0 (AIMET documentation, "Encoding format specification 1.0.0").
//!
//! There an encoding has `scale` and a non-positive `offset` on an unsigned grid: `x = (q + offset) * scale` with `q` from
//! 0. For signed integers the offset includes half the grid, so int8 with zero point 0 has offset -128.

mod given;

pub use given::{GivenFiles, GivenRecord};

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::back::bundle::write_json;
use crate::encoding::{Encoding, IntegerType};
use crate::error::{Error, Result};
use crate::ir::{ElementType, Graph};
use crate::quantize::Table;

const VERSION: &str = "1.0.0";

#[derive(Serialize, Deserialize)]
struct File {
    version: String,
    activation_encodings: Vec<Entry>,
    param_encodings: Vec<Entry>,
    #[serde(default)]
    quantizer_args: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    enc_type: EntryKind,
    dtype: String,
    bw: u32,
    is_sym: bool,
    scale: Vec<f32>,
    offset: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum EntryKind {
    #[serde(rename = "PER_TENSOR")]
    PerTensor,
    #[serde(rename = "PER_CHANNEL")]
    PerChannel,
}

fn to_entry(name: &str, encoding: &Encoding) -> Entry {
    let least = encoding.integer.limits().0;
    Entry {
        name: name.to_string(),
        enc_type: if encoding.axis.is_some() { EntryKind::PerChannel } else { EntryKind::PerTensor },
        dtype: "INT".into(),
        bw: encoding.integer.bits(),
        is_sym: encoding.integer.is_signed() && encoding.zero_point.iter().all(|&zero_point| zero_point == 0),
        scale: encoding.scale.clone(),
        offset: encoding.zero_point.iter().map(|zero_point| least - zero_point).collect(),
    }
}

fn to_encoding(entry: Entry, axis: Option<usize>) -> Result<Encoding, String> {
    let integer = match (entry.bw, entry.is_sym) {
        (4, true) => IntegerType::Int4,
        (8, true) => IntegerType::Int8,
        (8, false) => IntegerType::Uint8,
        (16, true) => IntegerType::Int16,
        (16, false) => IntegerType::Uint16,
        (32, true) => IntegerType::Int32,
        (bits, symmetric) => return Err(format!("{bits} bits (symmetric: {symmetric}) are not known")),
    };
    if entry.dtype != "INT" {
        return Err(format!("dtype {} is not known", entry.dtype));
    }
    if entry.scale.is_empty() || entry.scale.len() != entry.offset.len() {
        return Err(format!("{} scales and {} offsets", entry.scale.len(), entry.offset.len()));
    }
    if let Some(scale) = entry.scale.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
        return Err(format!("scale {scale} is impossible"));
    }
    let axis = axis.filter(|_| entry.enc_type == EntryKind::PerChannel);
    if axis.is_none() && entry.scale.len() != 1 {
        return Err("several scales without channels".into());
    }
    let (least, most) = integer.limits();
    let zero_point: Vec<i64> = entry.offset.iter().map(|offset| least.saturating_sub(*offset)).collect();
    match zero_point.iter().find(|zero_point| !(least..=most).contains(zero_point)) {
        Some(zero_point) => Err(format!("zero point {zero_point} is outside {}", integer.name())),
        None => Ok(Encoding { integer, scale: entry.scale, zero_point, axis, block: None }),
    }
}

/// Writes the table of a partition. Entries are sorted by name.
///
/// # Errors
/// The file cannot be written. An encoding in blocks, which no recipe asks for.
pub fn write(table: &Table, path: &Path) -> Result<()> {
    if let Some((name, _)) = table.params.iter().find(|(_, encoding)| encoding.block.is_some()) {
        return Err(Error::internal(name, "is encoded in blocks, which the file of encodings does not hold"));
    }
    let entries =
        |map: &std::collections::BTreeMap<String, Encoding>| map.iter().map(|(n, e)| to_entry(n, e)).collect();
    let file = File {
        version: VERSION.into(),
        activation_encodings: entries(&table.activations),
        param_encodings: entries(&table.params),
        quantizer_args: serde_json::Map::new(),
    };
    write_json(&file, path)
}

fn parse(bytes: &[u8], path: &Path) -> Result<File> {
    let file: File = crate::text::json(path, bytes)?;
    if file.version != VERSION {
        let message = format!("encodings of version {} are not read, only {VERSION}", file.version);
        return Err(Error::input(path.display(), message));
    }
    Ok(file)
}

/// Reads a table from the text of a file; the graph tells the axis of per-channel encodings.
///
/// # Errors
/// Malformed JSON, another version, an entry that is impossible, stands twice or belongs to no value of the graph, a value
/// that has no entry.
pub fn read(text: &[u8], path: &Path, graph: &Graph) -> Result<Table> {
    let file = parse(text, path)?;
    let mut table = Table::default();
    let lists = [(file.activation_encodings, false), (file.param_encodings, true)];
    for (entries, are_params) in lists {
        for entry in entries {
            let name = entry.name.clone();
            let place = format!("{}: `{name}`", path.display());
            let Some(id) = graph.find(&name) else {
                return Err(Error::input(place, "is no value of the graph").help("the file belongs to another model"));
            };
            let value = graph.value(id);
            let axis = match entry.scale.len() {
                1 => (entry.enc_type == EntryKind::PerChannel).then_some(0),
                channels => value.shape.iter().position(|&size| size == channels),
            };
            let axis = channel_axis(graph, &name).or(axis);
            let encoding = to_encoding(entry, axis).map_err(|message| Error::input(&place, message))?;
            if let Some(axis) = encoding.axis
                && value.shape.get(axis) != Some(&encoding.scale.len())
            {
                let message = format!("{} channels do not fit {:?}", encoding.scale.len(), value.shape);
                return Err(Error::input(place, message));
            }
            refuse_misplaced(&encoding, are_params, value.constant().is_some())
                .map_err(|message| Error::input(&place, message))?;
            let map = if are_params { &mut table.params } else { &mut table.activations };
            if map.insert(name, encoding).is_some() {
                return Err(Error::input(place, "stands twice"));
            }
        }
    }
    for (_, value) in graph.values().filter(|(_, value)| value.element == ElementType::F32) {
        let map = if value.constant().is_some() { &table.params } else { &table.activations };
        if !map.contains_key(&value.name) {
            return Err(Error::input(format!("{}: `{}`", path.display(), value.name), "has no encoding")
                .help("run `autoneural quantize` again"));
        }
    }
    Ok(table)
}

/// Reads a table to look at, whatever graph it is of: a scale per channel is said to be along the first axis.
///
/// # Errors
/// Malformed JSON, another version, an entry that is impossible or stands twice.
pub fn look(text: &[u8], path: &Path) -> Result<Table> {
    let file = parse(text, path)?;
    let mut table = Table::default();
    for (entries, map) in
        [(file.activation_encodings, &mut table.activations), (file.param_encodings, &mut table.params)]
    {
        for entry in entries {
            let name = entry.name.clone();
            let place = format!("{}: `{name}`", path.display());
            let encoding = to_encoding(entry, Some(0)).map_err(|message| Error::input(&place, message))?;
            if map.insert(name, encoding).is_some() {
                return Err(Error::input(place, "stands twice"));
            }
        }
    }
    Ok(table)
}

/// Refuses an entry in the wrong list, and what activations cannot have.
fn refuse_misplaced(encoding: &Encoding, as_param: bool, is_constant: bool) -> Result<(), String> {
    match (as_param, is_constant) {
        (true, false) => return Err("is no constant; it belongs to activation_encodings".into()),
        (false, true) => return Err("is a constant; it belongs to param_encodings".into()),
        _ => {}
    }
    if !as_param && (encoding.axis.is_some() || encoding.integer.is_signed()) {
        return Err(format!(
            "{} is no encoding of activations; unsigned integers with one scale are",
            describe(encoding)
        ));
    }
    Ok(())
}

fn describe(encoding: &Encoding) -> String {
    let per = if encoding.axis.is_some() { " per channel" } else { "" };
    format!("{}{per}", encoding.integer.name())
}

/// The output channel axis of a constant, from the node that reads it.
fn channel_axis(graph: &Graph, name: &str) -> Option<usize> {
    let id = graph.find(name)?;
    let node = graph.nodes().iter().find(|node| node.inputs.contains(&id))?;
    match node.op {
        crate::ir::Op::MatMul => Some(graph.value(id).shape.len() - 1),
        crate::ir::Op::Conv { .. } => Some(0),
        _ => None,
    }
}
