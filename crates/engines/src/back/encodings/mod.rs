//! Encodings as JSON in AIMET's formats (AIMET documentation, "Encoding format specification"): 1.0.0 is written;
//! 0.6.1, 1.0.0 and 2.0.0 are read.
//!
//! In 0.6.1 and 1.0.0 an encoding has `scale` and a non-positive `offset` on an unsigned grid: `x = (q + offset) *
//! scale` with `q` from 0. For signed integers the offset includes half the grid, so int8 with zero point 0 has offset
//! -128. An entry that does not say whether it is symmetric is so if 0 is in the middle of its grid.
//!
//! Scales of blocks (1.0.0 `PER_BLOCK`, with `block_size`) stand in one list, output channels outermost, as AIMET
//! flattens them. Files that were learned elsewhere may have whole multiples of a scale per channel in their place (LPBQ);
//! in 2.0.0 both lie as the tensor does.

mod axes;
mod blocks;
mod entry;
mod learned;
mod lists;
mod v0_6_1;
mod v1_0_0;
mod v2_0_0;

pub use learned::add;

use std::collections::BTreeMap;
use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_base::json::write_json;
use autoneural_core::encoding::Encoding;
use autoneural_core::ir::{ElementType, Graph};
use autoneural_core::quantize::Table;
use axes::channel_axis;
use lists::refuse_misplaced;

/// Largest file of a bundle's encodings that is read. Blocks of 64 weights of a model of 1.2 billion parameters take about
/// 600 MB, one scale per channel some megabytes.
pub const LARGEST: u64 = 1 << 30;

/// Writes the table of a partition, whose graph tells how scales of blocks lie. Entries are sorted by name.
///
/// # Errors
/// The file cannot be written. An encoding in blocks of what is no weight.
pub fn write(table: &Table, graph: &Graph, path: &Path) -> Result<()> {
    let mut in_blocks: BTreeMap<&String, Encoding> = BTreeMap::new();
    for (name, encoding) in table.params.iter().filter(|(_, encoding)| encoding.block.is_some()) {
        let made = blocks::to_file(encoding, graph, name);
        in_blocks.insert(name, made.map_err(|message| Error::internal(name, message))?);
    }
    let params = table.params.iter().map(|(name, encoding)| (name, in_blocks.get(name).unwrap_or(encoding)));
    write_json(&v1_0_0::file(table.activations.iter(), params), path)
}

/// Reads a table from the text of a file that [`write()`] wrote; the graph tells the axis of per-channel encodings.
///
/// # Errors
/// Malformed JSON, another version, an entry that is impossible, stands twice or belongs to no value of the graph, a
/// value that has no entry.
pub fn read(text: &[u8], path: &Path, graph: &Graph) -> Result<Table> {
    let file = v1_0_0::read(path, text)?;
    let mut table = Table::default();
    for (entries, are_params) in [(file.activations, false), (file.params, true)] {
        for (name, entry) in entries {
            let place = format!("{}: `{name}`", path.display());
            let Some(id) = graph.find(&name) else {
                return Err(Error::input(place, "is no value of the graph").help("the file belongs to another model"));
            };
            let value = graph.value(id);
            let mut encoding =
                entry.and_then(|entry| entry.param()).map_err(|message| Error::input(&place, message))?;
            if encoding.block.is_some() {
                encoding = blocks::of_file(&encoding, graph, &name).map_err(|message| Error::input(&place, message))?;
            } else if encoding.axis.is_some() {
                let channels = encoding.scale.len();
                let by_size = value.shape.iter().position(|&size| channels > 1 && size == channels).unwrap_or(0);
                encoding.axis = channel_axis(graph, &name).or(Some(by_size));
            }
            if let (Some(axis), None) = (encoding.axis, encoding.block)
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

/// Reads a table to look at, whatever graph it is of: scales per channel and of blocks are said to be along the first
/// axis, in the order of the file.
///
/// # Errors
/// Malformed JSON, another version, an entry that is impossible or stands twice.
pub fn look(text: &[u8], path: &Path) -> Result<Table> {
    let file = v1_0_0::read(path, text)?;
    let mut table = Table::default();
    for (entries, map) in [(file.activations, &mut table.activations), (file.params, &mut table.params)] {
        for (name, entry) in entries {
            let place = format!("{}: `{name}`", path.display());
            let encoding = entry.and_then(|entry| entry.param()).map_err(|message| Error::input(&place, message))?;
            if map.insert(name, encoding).is_some() {
                return Err(Error::input(place, "stands twice"));
            }
        }
    }
    Ok(table)
}
