//! The report as a table for a terminal.

use super::Report;

/// One line per partition; the figures are those of its first output, which is what the partition is for.
pub fn table(report: &Report) -> String {
    let mut rows =
        vec![["partition", "nodes", "on NPU", "weights", "binary", "SQNR simulated", "SQNR NPU"].map(String::from)];
    let db = |figure: Option<f64>| figure.map_or("-".into(), |figure| format!("{figure:.1} dB"));
    for partition in &report.partitions {
        let first = partition.outputs.first().map(|output| output.sqnr_db);
        rows.push([
            partition.name.clone(),
            partition.nodes.to_string(),
            partition.npu_nodes.map_or("-".into(), |nodes| nodes.to_string()),
            partition.weights.clone(),
            partition.binary_bytes.map_or("-".into(), |bytes| format!("{:.2} MB", bytes as f64 / 1e6)),
            db(first.and_then(|columns| columns.simulated)),
            db(first.and_then(|columns| columns.npu)),
        ]);
    }
    let widths: Vec<usize> = (0..7).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, &width) in row[1..].iter().zip(&widths[1..]) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
