//! The report as a table for a terminal.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::Columns;
use super::contents::Report;
use super::coverage::CoverageReport;
use super::partition::PartitionReport;
use super::segments::SegmentReport;
use super::text::wrapped;
use autoneural_base::shown::in_line;
use autoneural_base::text::bytes;
use autoneural_core::segment::Device;

/// One line per partition: the figures of its first output, which is what the partition is for, and its weakest output.
pub fn table(report: &Report) -> String {
    let mut rows =
        vec![["partition", "on NPU", "weights", "binary", "simulated", "NPU", "weakest output"].map(String::from)];
    let db = |figure: Option<f64>| figure.map_or("-".into(), |figure| format!("{figure:.1} dB"));
    for partition in &report.partitions {
        let first = partition.outputs.first().map(|output| output.sqnr_db);
        let on_npu = partition.npu_nodes.map_or("-".into(), |nodes| nodes.to_string());
        rows.push([
            partition.name.clone(),
            format!("{on_npu}/{}", partition.nodes),
            partition.weights.clone(),
            partition.binary_bytes.map_or("-".into(), |bytes| format!("{:.2} MB", bytes as f64 / 1e6)),
            db(first.and_then(|columns| columns.simulated)),
            db(first.and_then(|columns| columns.npu)),
            weakest(partition),
        ]);
    }
    let mut text = autoneural_base::text::columns(&rows);
    let segments: Vec<String> = report
        .partitions
        .iter()
        .flat_map(|partition| segments(partition).into_iter().chain(in_fp16(partition)))
        .collect();
    if !segments.is_empty() {
        segments.iter().for_each(|line| text.push_str(&format!("\n{}", in_line(line))));
        text.push('\n');
    }
    text.push_str(&frozen(report));
    text.push_str(&encodings(report));
    text.push_str(&extent(report));
    text.push_str(&by_sample(report));
    text.push_str(&coverage(report));
    text.push_str(&plain_outputs(report));
    let (db_figures, agreed) = (report.chain.logits_sqnr_db, report.chain.top1_agreement_percent);
    let chain = |name: &str, figure: Option<f64>, agreed: Option<f64>| {
        figure.zip(agreed).map(|(figure, agreed)| format!("{name} {figure:.1} dB, same token in {agreed:.0} %"))
    };
    let chains = [chain("simulated", db_figures.simulated, agreed.simulated), chain("NPU", db_figures.npu, agreed.npu)];
    let chains: Vec<String> = chains.into_iter().flatten().collect();
    if !chains.is_empty() {
        let chains = format!("{} steps in chains, logits: {}", report.chain.steps, chains.join("; "));
        text.push_str(&format!("\n{}", wrapped(&chains, 0)));
    }
    if let Some(sizes) = &report.sizes {
        text.push_str(&format!("\n{}", wrapped(&sizes.line(), 0)));
        text.extend(sizes.device.limits.lines().iter().map(|line| wrapped(line, 0)));
    }
    text
}

/// One line on what the NPU computes in 16-bit floating point, if it does so with something.
fn in_fp16(partition: &PartitionReport) -> Option<String> {
    let nodes = partition.in_fp16.as_ref().filter(|nodes| !nodes.is_empty())?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    nodes.iter().for_each(|node| *counts.entry(&node.operator).or_default() += 1);
    let counts: Vec<String> = counts.iter().map(|(operator, count)| format!("{count} {operator}")).collect();
    let first = &nodes[0].makes;
    Some(format!(
        "{}: the NPU computes {} in fp16 and not in integers; the first is `{first}`",
        partition.name,
        counts.join(", ")
    ))
}

/// One line on the segments of a partition that has several or is on the CPU.
fn segments(partition: &PartitionReport) -> Option<String> {
    let name = &partition.name;
    let on_cpu: Vec<&SegmentReport> = partition.segments.iter().filter(|s| s.device == Device::Cpu).collect();
    let handed: u64 = partition.segments.iter().map(|segment| segment.bytes_in).sum();
    match (partition.segments.len(), on_cpu.len()) {
        (0, _) => None,
        (several, 0) => Some(format!("{name}: {several} context binaries, {} handed on per run", bytes(handed))),
        (several, _) => {
            let sum = |figure: fn(&SegmentReport) -> u64| on_cpu.iter().map(|segment| figure(segment)).sum::<u64>();
            let mut operators: BTreeMap<&str, usize> = BTreeMap::new();
            let mut why = BTreeSet::new();
            for segment in &on_cpu {
                segment.operators.iter().for_each(|(name, count)| *operators.entry(name).or_default() += count);
                why.extend(segment.why.iter().map(String::as_str));
            }
            let operators: Vec<String> = operators.iter().map(|(name, count)| format!("{count} {name}")).collect();
            let what =
                format!("{name}: on the CPU {}, in {} of {several} segments", operators.join(", "), on_cpu.len());
            let costs = format!(
                "per run {} to the CPU, {} back, {} past it, {} multiply-adds and {} requantizations there",
                bytes(sum(|s| s.bytes_in)),
                bytes(sum(|s| s.bytes_out)),
                bytes(sum(|s| s.bytes_past)),
                sum(|s| s.multiply_adds),
                sum(|s| s.requantizations as u64),
            );
            Some(format!("{what}: {}; {costs}", why.into_iter().collect::<Vec<_>>().join(", ")))
        }
    }
}

/// All outputs of a model whose samples are arrays, in plain figures: of one that is asked with words the tokens say
/// more.
fn plain_outputs(report: &Report) -> String {
    let mut rows = vec![["output", "engine", "SQNR", "worst sample", "cosine", "largest difference"].map(String::from)];
    for partition in report.partitions.iter().filter(|_| report.samples.steps == 0) {
        for output in &partition.outputs {
            let (db, cosine, largest) = (output.sqnr_db, output.cosine, output.largest_difference);
            for (engine, of) in [("simulated", (|c| c.simulated) as fn(Columns) -> Option<f64>), ("NPU", |c| c.npu)] {
                let (Some(db), Some(cosine), Some(largest)) = (of(db), of(cosine), of(largest)) else { continue };
                let name = format!("{}/{}", partition.name, output.name);
                let worst = output.by_sample.as_ref().and_then(|found| of(found.worst_db));
                let worst = worst.map_or("-".into(), |worst| format!("{worst:.1} dB"));
                let figures = [format!("{db:.1} dB"), format!("{cosine:.6}"), format!("{largest:.4e}")];
                let [db, cosine, largest] = figures;
                rows.push([name, engine.to_string(), db, worst, cosine, largest]);
            }
        }
    }
    match rows.len() {
        1 => String::new(),
        _ => format!("\n{}", autoneural_base::text::columns(&rows)),
    }
}

/// The output with the lowest figure, on the NPU where that was measured.
fn weakest(partition: &PartitionReport) -> String {
    let measured = partition.outputs.iter().filter_map(|output| Some((output.sqnr_db.best()?, output)));
    let Some((db, output)) = measured.min_by(|a, b| a.0.total_cmp(&b.0)) else { return "-".into() };
    let simulated = if output.sqnr_db.npu.is_none() { " simulated" } else { "" };
    format!("{} {db:.1} dB{simulated}", output.name)
}

/// What the figures are, and how much was compared.
fn extent(report: &Report) -> String {
    let is_whole = report.samples.extent.is_whole();
    let said = |partition: &PartitionReport| {
        let steps = &partition.steps;
        let at = match steps.positions.as_slice() {
            [] => String::new(),
            positions => format!(" (at {})", positions.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
        };
        let count = if is_whole { steps.taken.to_string() } else { format!("{} of {}", steps.compared, steps.taken) };
        (steps.compared > 0).then(|| format!("{} {count}{at}", partition.name))
    };
    let said: Vec<String> = report.partitions.iter().filter_map(said).collect();
    if said.is_empty() {
        return "\nnothing was compared with float (--verify none)\n".into();
    }
    let what = if is_whole { "steps compared with float" } else { "only these steps were compared with float" };
    let steps = wrapped(&format!("{what}: {}", said.join("; ")), 0);
    format!("\nSQNR is of the main output and of the weakest, over all steps together\n{steps}")
}

/// The worst sample of the main output of each partition, where there are several.
fn by_sample(report: &Report) -> String {
    let main = |partition: &PartitionReport| partition.outputs.first()?.by_sample.clone();
    let said = |partition: &PartitionReport| {
        let found = main(partition).filter(|found| found.samples > 1)?;
        Some(format!("{} {}", partition.name, found.words()?))
    };
    let said: Vec<String> = report.partitions.iter().filter_map(said).collect();
    let samples = report.partitions.iter().filter_map(main).map(|found| found.samples).max().unwrap_or(0);
    match said.is_empty() {
        true => String::new(),
        false => wrapped(&format!("worst of {samples} samples: {}", said.join("; ")), 0),
    }
}

/// Groups that too few samples calibrated.
fn coverage(report: &Report) -> String {
    report.calibration.iter().filter_map(CoverageReport::line).map(|line| wrapped(&line, 0)).collect()
}

/// How far the frozen graphs are from the checkpoint, if that was compared.
fn frozen(report: &Report) -> String {
    let said = |partition: &PartitionReport| Some(format!("{} {}", partition.name, partition.frozen.as_ref()?.words()));
    let said: Vec<String> = report.partitions.iter().filter_map(said).collect();
    match said.is_empty() {
        true => String::new(),
        false => {
            let line = format!("graphs against the checkpoint, both in float, first step: {}", said.join("; "));
            format!("\n{}", wrapped(&line, 0))
        }
    }
}

/// Where the encodings are from, if some were learned elsewhere.
fn encodings(report: &Report) -> String {
    if report.given_encodings.is_empty() {
        return String::new();
    }
    let count = |partition: &PartitionReport| {
        let counts = partition.encodings;
        format!("{} {} of {}", partition.name, counts.given, counts.given + counts.calibrated)
    };
    let counts: Vec<String> = report.partitions.iter().map(count).collect();
    format!("\n{}", wrapped(&format!("encodings given, the others calibrated: {}", counts.join("; ")), 0))
}
