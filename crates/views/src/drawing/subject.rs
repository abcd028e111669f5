//! What is drawn: the partitions of a bundle, with what is known of them.

use std::collections::BTreeMap;

use super::svg::{LONGEST, shorten};
use autoneural_app::drivers::{Driver, of_bundle};
use autoneural_app::report::{Columns, PartitionReport, Report, Sizes, npu_nodes};
use autoneural_base::error::{Error, Result};
use autoneural_bundle::{Bundle, Stage};
use autoneural_core::partition::Partition;
use autoneural_core::quantize::Table;
use autoneural_core::segment::{Device, Segment, segments};

/// What is drawn.
pub struct Subject {
    pub(super) model: String,
    pub(super) target: String,
    pub(super) parts: Vec<DrawnPartition>,
    pub(super) sizes: Sizes,
    pub(super) driver: Box<dyn Driver>,
}

/// A partition with what is known of it.
pub struct DrawnPartition {
    pub partition: Partition,
    pub table: Table,
    /// Bits, such as W8A16.
    pub scheme: String,
    /// Nodes in context binaries; none without them.
    pub npu_nodes: Option<usize>,
    /// What carries it out, in order.
    pub segments: Vec<Segment>,
    /// SQNR of the first output in dB.
    pub sqnr: Option<Columns>,
    /// The worst output, where it is another one.
    pub worst: Option<(String, Columns)>,
    /// SQNR of outputs, and of layers where they were measured, by name.
    pub figures: BTreeMap<String, Columns>,
}

impl DrawnPartition {
    /// SQNR of a tensor in a word or two: on the NPU where that was measured; nothing where nothing was.
    pub fn figure(&self, name: &str) -> String {
        match self.figures.get(name) {
            Some(Columns { npu: Some(db), .. }) => format!("{db:.1} dB"),
            Some(Columns { simulated: Some(db), .. }) => format!("{db:.1} dB simulated"),
            _ => String::new(),
        }
    }
}

impl Subject {
    /// Reads what is drawn.
    ///
    /// # Errors
    /// A bundle without encodings, one that is damaged, a report of another schema.
    pub fn read(bundle: &Bundle) -> Result<Self> {
        if !bundle.manifest.has(Stage::Quantize.name()) {
            let message = "has no encodings to draw tensors with: `quantize` has not run";
            return Err(Error::input(bundle.path("").display(), message).help("run `autoneural quantize` first"));
        }
        let partitions = bundle.partitions()?;
        let tables = bundle.tables(&partitions)?;
        let sizes = Sizes::new(bundle, &partitions, &tables)?;
        let verified = bundle.manifest.has(Stage::Verify.name());
        let report = verified.then(|| Report::read(bundle)).transpose()?;
        let (mut parts, target) = (Vec::new(), bundle.target()?);
        for (partition, table) in partitions.into_iter().zip(tables) {
            let segments = segments(&partition, &table, &target)?;
            let record = bundle.manifest.partitions.iter().find(|record| record.name == partition.name);
            let reported =
                report.as_ref().and_then(|report| report.partitions.iter().find(|p| p.name == partition.name));
            parts.push(DrawnPartition {
                scheme: record.map(|record| record.weights.clone()).unwrap_or_default(),
                npu_nodes: npu_nodes(bundle, &partition, &segments)?,
                segments,
                sqnr: reported.and_then(|reported| reported.outputs.first()).map(|output| output.sqnr_db),
                worst: reported.and_then(worst),
                figures: reported.map(figures).unwrap_or_default(),
                partition,
                table,
            });
        }
        let (model, target) = (bundle.manifest.model.clone(), bundle.manifest.target.clone());
        Ok(Subject { model, target, parts, sizes, driver: of_bundle(bundle)? })
    }

    /// Names of the partitions.
    pub fn names(&self) -> Vec<&str> {
        self.parts.iter().map(|part| part.partition.name.as_str()).collect()
    }

    /// What stands in the box of a partition under its name: class and text of each line.
    pub(super) fn facts(&self, at: usize) -> Vec<(&'static str, String)> {
        let (part, sizes) = (&self.parts[at], &self.sizes.partitions[at]);
        let nodes = part.partition.node_count();
        let place = match part.npu_nodes {
            None => ("quiet", format!("{nodes} nodes, not compiled")),
            Some(npu) if npu == nodes => ("strong", format!("NPU, all {nodes} nodes")),
            Some(npu) => ("wrong", format!("NPU {npu} nodes, CPU {}", nodes - npu)),
        };
        let weights = autoneural_base::text::bytes(sizes.weight_bytes());
        let mut lines = vec![place];
        let on_cpu = part.segments.iter().filter(|segment| segment.device == Device::Cpu).count();
        match (part.segments.len(), on_cpu) {
            (1, _) => {}
            (several, 0) => lines.push(("", format!("in {several} segments"))),
            (several, on_cpu) => lines.push(("wrong", format!("in {several} segments, {on_cpu} on the CPU"))),
        }
        lines.push(("", format!("{} weights {weights}", part.scheme)));
        lines.extend(
            sizes.binary_bytes.map(|size| ("", format!("context binary {}", autoneural_base::text::bytes(size)))),
        );
        if let Some(Columns { simulated, npu }) = part.sqnr {
            lines.extend(npu.map(|db| ("", format!("SQNR NPU {db:.1} dB"))));
            lines.extend(simulated.map(|db| ("quiet", format!("SQNR simulated {db:.1} dB"))));
        }
        if let Some((name, columns)) = &part.worst {
            let simulated = if columns.npu.is_none() { " simulated" } else { "" };
            let db = columns.best().unwrap_or_default();
            let name = shorten(name, LONGEST / 2);
            lines.push(("", format!("worst {db:.1} dB{simulated}, {name}")));
        }
        lines
    }
}

/// The worst output of a partition, where it is not the first.
fn worst(partition: &PartitionReport) -> Option<(String, Columns)> {
    let measured = partition.outputs.iter().filter_map(|output| Some((output.sqnr_db.best()?, output)));
    let (_, output) = measured.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let is_first = partition.outputs.first().is_some_and(|first| first.name == output.name);
    (!is_first).then(|| (output.name.clone(), output.sqnr_db))
}

/// SQNR by name: of layers where they were measured, else of outputs.
fn figures(partition: &PartitionReport) -> BTreeMap<String, Columns> {
    let outputs = partition.outputs.iter().map(|output| (output.name.clone(), output.sqnr_db));
    let layers = partition.layers.iter().map(|layer| (layer.name.clone(), layer.sqnr_db));
    outputs.chain(layers).filter(|(_, columns)| columns.best().is_some()).collect()
}
