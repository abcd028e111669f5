//! The report as a table for a terminal.

use super::Report;
use crate::shown::in_line;

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
    let mut text = crate::text::columns(&rows);
    let segments: Vec<String> = report.partitions.iter().filter_map(super::segments::summary).collect();
    if !segments.is_empty() {
        segments.iter().for_each(|line| text.push_str(&format!("\n{}", in_line(line))));
        text.push('\n');
    }
    text.push_str(&encodings(report));
    text.push_str(&extent(report));
    let (db_figures, agreed) = (report.chain.logits_sqnr_db, report.chain.top1_agreement_percent);
    let chain = |name: &str, figure: Option<f64>, agreed: Option<f64>| {
        figure.zip(agreed).map(|(figure, agreed)| format!("{name} {figure:.1} dB, same token in {agreed:.0} %"))
    };
    let chains = [chain("simulated", db_figures.simulated, agreed.simulated), chain("NPU", db_figures.npu, agreed.npu)];
    let chains: Vec<String> = chains.into_iter().flatten().collect();
    if !chains.is_empty() {
        text.push_str(&format!("\n{} steps in chains, logits: {}\n", report.chain.steps, chains.join("; ")));
    }
    if let Some(sizes) = &report.sizes {
        text.push_str(&format!("\n{}\n", sizes.line()));
        text.extend(sizes.device.limits.lines().iter().map(|line| format!("{}\n", in_line(line))));
    }
    text
}

/// How much was compared, if not all.
fn extent(report: &Report) -> String {
    if report.samples.extent.is_whole() {
        return String::new();
    }
    let said = |partition: &super::PartitionReport| {
        let steps = &partition.steps;
        let at = match steps.positions.as_slice() {
            [] => String::new(),
            positions => format!(" (at {})", positions.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
        };
        (steps.compared > 0).then(|| format!("{} {} of {}{at}", in_line(&partition.name), steps.compared, steps.taken))
    };
    let said: Vec<String> = report.partitions.iter().filter_map(said).collect();
    if said.is_empty() {
        return "\nnothing was compared with float (--verify none)\n".into();
    }
    format!("\nonly these steps were compared with float: {}\n", said.join("; "))
}

/// Where the encodings are from, if some were learned elsewhere.
fn encodings(report: &Report) -> String {
    if report.given_encodings.is_empty() {
        return String::new();
    }
    let count = |partition: &super::PartitionReport| {
        let counts = partition.encodings;
        format!("{} {} of {}", in_line(&partition.name), counts.given, counts.given + counts.calibrated)
    };
    let counts: Vec<String> = report.partitions.iter().map(count).collect();
    format!("\nencodings given, the others calibrated: {}\n", counts.join("; "))
}
