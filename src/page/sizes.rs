//! Tables of bytes.

use super::Subject;
use super::table::{Cell, Table};
use crate::report::{Report, Sizes};
use crate::text::bytes;

fn amount(count: u64) -> Cell {
    Cell::Number(bytes(count))
}

/// A line per partition; none where the report has no sizes.
pub fn partitions(subject: &Subject) -> Option<Table> {
    let sizes = subject.report.sizes.as_ref()?;
    let mut bits: Vec<u32> = sizes.partitions.iter().flat_map(|p| p.weights.iter().map(|w| w.bits)).collect();
    bits.sort_unstable();
    bits.dedup();
    let of_bits: Vec<String> = bits.iter().map(|bits| format!("weights of {bits} bits")).collect();
    let mut titles = vec!["partition"];
    titles.extend(of_bits.iter().map(String::as_str));
    titles.extend(["binary", "inputs", "of them state", "outputs", "KV cache", "conv state"]);
    let mut table = Table::new(&titles);
    for partition in &sizes.partitions {
        let mut row = vec![Cell::Text(partition.name.clone())];
        row.extend(bits.iter().map(|bits| amount(partition.bytes_of_bits(*bits))));
        row.push(partition.binary_bytes.map_or(Cell::Missing, amount));
        row.extend([partition.input_bytes, partition.state_input_bytes, partition.output_bytes].map(amount));
        row.extend([partition.kv_cache_bytes, partition.conv_state_bytes].map(amount));
        table.row(row);
    }
    Some(table)
}

/// What a device holds, beside what it holds of the other bundle.
pub fn device(subject: &Subject) -> Option<Table> {
    let sizes = subject.report.sizes.as_ref()?;
    let other = subject.other.as_ref().and_then(|other| other.report.sizes.as_ref());
    let mut titles = vec!["a device holds", "bytes"];
    titles.extend(subject.other.iter().flat_map(|_| ["other bundle", "other - this"]));
    let mut table = Table::new(&titles);
    let other = other.map(lines);
    for (index, (name, count)) in lines(sizes).into_iter().enumerate() {
        let mut row = vec![Cell::Text(name.into()), amount(count)];
        if subject.other.is_some() {
            let theirs = other.as_ref().map(|lines| lines[index].1);
            row.push(theirs.map_or(Cell::Missing, amount));
            row.push(theirs.map_or(Cell::Missing, |theirs| difference(count, theirs)));
        }
        table.row(row);
    }
    Some(table)
}

fn difference(ours: u64, theirs: u64) -> Cell {
    let sign = if theirs < ours { "-" } else { "+" };
    Cell::Number(format!("{sign}{}", bytes(theirs.abs_diff(ours))))
}

fn lines(sizes: &Sizes) -> [(&'static str, u64); 6] {
    let device = &sizes.device;
    [
        ("weights (context binaries where there are)", device.weight_bytes),
        ("KV cache", device.kv_cache_bytes),
        ("conv state", device.conv_state_bytes),
        ("buffers", device.buffer_bytes),
        ("embedding table", device.embedding_bytes),
        ("all", device.total_bytes),
    ]
}

/// All that a device holds, in words.
pub fn total(report: &Report) -> Option<String> {
    report.sizes.as_ref().map(|sizes| bytes(sizes.device.total_bytes))
}
