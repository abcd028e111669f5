//! Drawings of a bundle as SVG files that need nothing else: in come its partitions, encodings, sizes and, if it was
//! verified, its report; out goes one picture of the partitions and what crosses their borders, or of one partition's
//! blocks. The layout is computed from the graphs alone, so the same bundle gives the same bytes.

mod blocks;
mod inside;
mod overview;
mod rows;
mod svg;

pub use inside::inside;
pub use overview::overview;

use crate::back::bundle::{Bundle, Stage};
use crate::encoding::IntegerType;
use crate::error::{Error, Result};
use crate::ir::ValueId;
use crate::partition::Partition;
use crate::quantize::Table;
use crate::report::{Columns, Report, Sizes, npu_nodes};
use crate::segment::{Device, Segment, segments};

/// Which tensors a drawing names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tensors {
    /// Those that cross a border: of partitions (the state of all layers in one line), or of a partition's blocks.
    Border,
    /// Every one.
    All,
}

/// What is drawn.
pub struct Subject {
    model: String,
    target: String,
    parts: Vec<Part>,
    sizes: Sizes,
}

/// A partition with what is known of it.
struct Part {
    partition: Partition,
    table: Table,
    /// Bits, such as W8A16.
    scheme: String,
    /// Nodes in context binaries; none without them.
    npu_nodes: Option<usize>,
    /// What carries it out, in order.
    segments: Vec<Segment>,
    /// SQNR of the first output in dB.
    sqnr: Option<Columns>,
}

/// A tensor as it is written beside an arrow.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    integer: IntegerType,
}

impl Tensor {
    fn new(part: &Part, id: ValueId) -> Result<Self> {
        let value = part.partition.graph.value(id);
        let integer = part.table.integer_of(value)?;
        Ok(Tensor { name: value.name.clone(), shape: value.shape.clone(), integer })
    }

    fn bytes(&self) -> u64 {
        self.integer.bytes_of(&self.shape)
    }

    /// Shape and integers.
    fn kind(&self) -> String {
        format!("{:?} {}", self.shape, self.integer.name())
    }

    /// Shape, integers and size.
    fn detail(&self) -> String {
        format!("{}, {}", self.kind(), crate::text::bytes(self.bytes()))
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
            parts.push(Part {
                scheme: record.map(|record| record.weights.clone()).unwrap_or_default(),
                npu_nodes: npu_nodes(bundle, &partition, &segments)?,
                segments,
                sqnr: reported.and_then(|reported| reported.outputs.first()).map(|output| output.sqnr_db),
                partition,
                table,
            });
        }
        let (model, target) = (bundle.manifest.model.clone(), bundle.manifest.target.clone());
        Ok(Subject { model, target, parts, sizes })
    }

    /// Names of the partitions.
    pub fn names(&self) -> Vec<&str> {
        self.parts.iter().map(|part| part.partition.name.as_str()).collect()
    }

    /// What stands in the box of a partition under its name: class and text of each line.
    fn facts(&self, at: usize) -> Vec<(&'static str, String)> {
        let (part, sizes) = (&self.parts[at], &self.sizes.partitions[at]);
        let nodes = part.partition.node_count();
        let place = match part.npu_nodes {
            None => ("quiet", format!("{nodes} nodes, not compiled")),
            Some(npu) if npu == nodes => ("strong", format!("NPU, all {nodes} nodes")),
            Some(npu) => ("wrong", format!("NPU {npu} nodes, CPU {}", nodes - npu)),
        };
        let weights = crate::text::bytes(sizes.weight_bytes());
        let mut lines = vec![place];
        let on_cpu = part.segments.iter().filter(|segment| segment.device == Device::Cpu).count();
        match (part.segments.len(), on_cpu) {
            (1, _) => {}
            (several, 0) => lines.push(("", format!("in {several} segments"))),
            (several, on_cpu) => lines.push(("wrong", format!("in {several} segments, {on_cpu} on the CPU"))),
        }
        lines.push(("", format!("{} weights {weights}", part.scheme)));
        lines.extend(sizes.binary_bytes.map(|size| ("", format!("context binary {}", crate::text::bytes(size)))));
        if let Some(Columns { simulated, npu }) = part.sqnr {
            lines.extend(npu.map(|db| ("", format!("SQNR NPU {db:.1} dB"))));
            lines.extend(simulated.map(|db| ("quiet", format!("SQNR simulated {db:.1} dB"))));
        }
        lines
    }
}
