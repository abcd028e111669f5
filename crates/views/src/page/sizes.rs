//! Tables of bytes.

use super::change::Change;
use super::subject::Subject;
use super::table::{Cell, Table};
use autoneural_app::report::{Report, Sizes};
use autoneural_base::text::bytes;

fn amount(count: u64) -> Cell {
    Cell::Number(bytes(count))
}

/// A line per partition; `None` if the report has no sizes.
pub(crate) fn partitions(subject: &Subject) -> Option<Table> {
    let sizes = subject.report.sizes.as_ref()?;
    let mut bits: Vec<u32> = sizes.partitions.iter().flat_map(|p| p.weights.iter().map(|w| w.bits)).collect();
    bits.sort_unstable();
    bits.dedup();
    let of_bits: Vec<String> = bits.iter().map(|bits| format!("weights of {bits} bits")).collect();
    let mut titles = vec!["partition"];
    titles.extend(of_bits.iter().map(String::as_str));
    titles.extend(["scales", "binary", "inputs", "of which state", "outputs", "KV cache", "conv state"]);
    let mut table = Table::new(&titles);
    for partition in &sizes.partitions {
        let mut row = vec![Cell::Text(partition.name.clone())];
        row.extend(bits.iter().map(|bits| amount(partition.bytes_of_bits(*bits))));
        row.push(amount(partition.scale_bytes()));
        row.push(partition.binary_bytes.map_or(Cell::Missing, amount));
        row.extend([partition.input_bytes, partition.state_input_bytes, partition.output_bytes].map(amount));
        row.extend([partition.kv_cache_bytes, partition.conv_state_bytes].map(amount));
        table.row(row);
    }
    Some(table)
}

/// What a device needs, against the other bundle; of a baseline only the total is known.
pub(crate) fn device(subject: &Subject) -> Option<Table> {
    let sizes = subject.report.sizes.as_ref()?;
    let percent = subject.tolerances.device_percent;
    let references = subject.references();
    let mut titles = vec!["a device needs", "bytes"];
    titles.extend(references.iter().flat_map(|reference| [reference.title, reference.against]));
    let mut table = Table::new(&titles);
    let other = subject.other.as_ref().and_then(|other| other.report.sizes.as_ref()).map(lines);
    let all = lines(sizes);
    for (index, (name, count)) in all.iter().enumerate() {
        let mut row = vec![Cell::text(name), amount(*count)];
        for reference in &references {
            let of_other = other.as_ref().filter(|_| reference.settings.is_some()).map(|lines| lines[index].1);
            let total = reference.facts.device_bytes.filter(|_| index + 1 == all.len());
            row.extend(match of_other.or(total) {
                Some(theirs) => [amount(theirs), Cell::Change(Change::of_bytes(*count, theirs, percent))],
                None => [Cell::Nothing, Cell::Nothing],
            });
        }
        table.row(row);
    }
    Some(table)
}

fn lines(sizes: &Sizes) -> [(&'static str, u64); 6] {
    let device = &sizes.device;
    [
        ("weights (context binaries, where there are some)", device.weight_bytes),
        ("KV cache", device.kv_cache_bytes),
        ("conv state", device.conv_state_bytes),
        ("buffers", device.buffer_bytes),
        ("embedding table", device.embedding_bytes),
        ("total", device.total_bytes),
    ]
}

/// All that a device needs, in words.
pub(crate) fn total(report: &Report) -> Option<String> {
    report.sizes.as_ref().map(|sizes| bytes(sizes.device.total_bytes))
}
