//! The report: one JSON file; every other form is a view of it.

mod advice;
mod basis;
mod layers;
mod limits;
mod outputs;
mod segments;
mod sizes;
mod state;
mod table;
mod text;
mod verdict;
mod weak;

pub use crate::as_built::FrozenReport;
pub use crate::drivers::{PromptCounts, PromptsReport};
pub use advice::Advisor;
pub use basis::Basis;
pub use layers::{Histogram, LayerReport};
pub use limits::Limits;
pub use outputs::{LowestStep, OutputReport, OwnEncoding, WorstCut};
pub use segments::{SegmentReport, report as segment_reports};
pub use sizes::{DeviceSizes, PartitionSizes, Sizes, WeightSizes};
pub use state::{StateKind, StateSizes};
pub use table::table;
pub use text::{goals as goal_lines, verdict_text};
pub use verdict::{GoalKind, GoalReport, Verdict, VerdictState};
pub use weak::{Cause, CauseReport, LEAST_ADDED_PERCENT, WeakOutput, weak_outputs};

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::drivers::ChainComparison;
use crate::evaluate::EvaluationReport;
use crate::verify::{Comparison, Extent, StepAt, StepsCompared};
use autoneural_base::error::{Error, Result};
use autoneural_base::json::{LARGEST_JSON, json_of};
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, GivenRecord, InputRecord, REPORT, StageRecord, round};
use autoneural_core::goals::Goals;
use autoneural_core::partition::Partition;
use autoneural_core::quantize::{Counts, Table};
use autoneural_core::recipe::Recipe;
use autoneural_core::segment::{Device, Segment, segments};
use autoneural_engines::back::qnn::Runtime;

/// Version of the report's format.
pub const SCHEMA: u32 = 2;

/// What one run of verification found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format.
    pub schema: u32,
    /// Name of the model.
    pub model: String,
    /// Name of the target.
    pub target: String,
    /// What the figures were made with.
    pub samples: SamplesReport,
    /// Encodings that were learned elsewhere and taken in place of calibrated ones.
    pub given_encodings: Vec<GivenRecord>,
    /// One entry per partition.
    pub partitions: Vec<PartitionReport>,
    /// Bytes of weights, state and buffers; none in a report of a version that did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Sizes>,
    /// Whole sequences on an engine's own state.
    pub chain: ChainReport,
    /// Questions with known answers, as far as they were asked (`autoneural eval`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<EvaluationReport>,
    /// What the recipe asks of the figures.
    #[serde(default, skip_serializing_if = "Goals::is_empty")]
    pub goals: Goals,
    /// Whether they reach it. It is judged anew when a report is read.
    #[serde(default)]
    pub verdict: Verdict,
    /// What was demanded of the figures on the command line.
    pub demands: Demands,
    /// Goals and demands that are missed, a line each; empty when none is.
    pub failures: Vec<String>,
    /// What a person should know of the figures, and of the bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// What was not run, for want of the vendor toolkit or of context binaries.
    pub left_out: Vec<String>,
    /// Stages with the time they took.
    pub stages: Vec<StageRecord>,
}

/// The samples behind the figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplesReport {
    /// Name of the recipe.
    pub recipe: String,
    /// Number of verification samples.
    pub samples: usize,
    /// Tokens that follow each prompt at most. They are the float reference's, and so is the state that each step gets.
    #[serde(rename = "decode_steps")]
    pub steps: usize,
    /// How much of it was compared.
    #[serde(default)]
    pub extent: Extent,
    /// What the images of the verification samples hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<InputRecord>,
    /// How the prompts were made; none in a report of a version that did not tell them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<PromptsReport>,
}

/// Whole sequences, each engine on its own integer state from step to step, with the tokens of the float reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChainReport {
    /// Steps over all samples.
    pub steps: u64,
    /// Logits of all steps against float.
    pub logits_sqnr_db: Columns,
    /// Steps whose most likely token is that of float.
    pub top1_agreement_percent: Columns,
}

impl ChainReport {
    fn new((simulated, npu): (Option<ChainComparison>, Option<ChainComparison>)) -> Self {
        let columns = |figure: fn(ChainComparison) -> f64| Columns {
            simulated: simulated.map(|found| round(figure(found))),
            npu: npu.map(|found| round(figure(found))),
        };
        ChainReport {
            steps: npu.or(simulated).map_or(0, |found| found.steps),
            logits_sqnr_db: columns(|found| found.logits.db()),
            top1_agreement_percent: columns(|found| 100.0 * found.agreed as f64 / found.steps as f64),
        }
    }
}

/// When figures are good enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Demands {
    /// Simulation and NPU may differ by this much.
    pub max_difference_db: f64,
    /// Outputs that reach this on the NPU may differ by more: their error is small, whatever the simulation says.
    pub enough_db: f64,
    /// Every output must reach this, on the NPU where it ran.
    pub min_sqnr_db: Option<f64>,
}

/// What was found of one partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionReport {
    /// Name of the partition.
    pub name: String,
    /// Nodes of the graph that compute or move something.
    pub nodes: usize,
    /// How many of them are in context binaries; none without those.
    pub npu_nodes: Option<usize>,
    /// How many of them the CPU carries out, because the NPU does not take them or the border is smaller so.
    #[serde(default)]
    pub cpu_nodes: usize,
    /// Bits, such as W8A16.
    pub weights: String,
    /// Where its encodings are from.
    pub encodings: Counts,
    /// How far its graph is from the checkpoint; none where that was not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<FrozenReport>,
    /// How many steps were compared.
    #[serde(default)]
    pub steps: StepsCompared,
    /// Size of the context binaries.
    pub binary_bytes: Option<u64>,
    /// How it is carried out; empty where all of it is one context binary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentReport>,
    /// One entry per output.
    pub outputs: Vec<OutputReport>,
    /// One entry per layer in the graph's order; empty where layers were not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerReport>,
    /// The one step that the figures of layers are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_step: Option<StepAt>,
    /// Outputs that miss their goal, or the weakest where none is stated, with what their noise comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weak: Vec<WeakOutput>,
    /// What the figures were measured on; none in a report of a version that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// One figure per engine; none where the engine did not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// The quantized model on the CPU.
    pub simulated: Option<f64>,
    /// The context binary.
    pub npu: Option<f64>,
}

impl Columns {
    /// The NPU's figure where there is one, else that of the simulation.
    pub fn best(&self) -> Option<f64> {
        self.npu.or(self.simulated)
    }
}

impl Report {
    /// The report of a bundle's comparisons, one list per partition. Nothing is demanded of the figures yet, and what
    /// the stages took is not in it.
    pub fn new(
        bundle: &Bundle,
        partitions: &[Partition],
        tables: &[Table],
        comparison: &Comparison,
        (recipe, extent): (&Recipe, &Extent),
        left_out: Vec<String>,
    ) -> Result<Self> {
        let mut made = Vec::new();
        let sizes = Sizes::new(bundle, partitions, tables)?;
        let target = bundle.target()?;
        for (at, (partition, outputs)) in partitions.iter().zip(&comparison.outputs).enumerate() {
            let segments = segments(partition, &tables[at], &target)?;
            let record = bundle.manifest.partitions.iter().find(|record| record.name == partition.name);
            made.push(PartitionReport {
                name: partition.name.clone(),
                nodes: partition.node_count(),
                npu_nodes: npu_nodes(bundle, partition, &segments)?,
                cpu_nodes: cpu_nodes(partition, &segments),
                weights: record.map(|record| record.weights.clone()).unwrap_or_default(),
                encodings: record.map(|record| record.encodings).unwrap_or_default(),
                frozen: None,
                steps: comparison.steps[at].clone(),
                binary_bytes: sizes.partitions[at].binary_bytes,
                segments: segment_reports(bundle, partition, &tables[at], &segments)?,
                outputs: outputs.iter().map(OutputReport::new).collect(),
                layers: vec![],
                layer_step: None,
                weak: vec![],
                basis: None,
            });
        }
        let samples = SamplesReport {
            recipe: recipe.name.clone(),
            samples: recipe.verification.len(),
            steps: recipe.steps(),
            extent: extent.clone(),
            images: vec![],
            prompts: None,
        };
        Ok(Report {
            schema: SCHEMA,
            model: bundle.manifest.model.clone(),
            target: bundle.manifest.target.clone(),
            samples,
            given_encodings: bundle.manifest.given_encodings.clone(),
            partitions: made,
            sizes: Some(sizes),
            chain: ChainReport::new(comparison.chains),
            evaluations: vec![],
            goals: recipe.goals.clone(),
            verdict: Verdict::default(),
            demands: Demands::default(),
            failures: vec![],
            warnings: vec![],
            left_out,
            stages: vec![],
        })
    }

    /// Holds the figures against the goals that the report states and against demands.
    pub fn judge(&mut self, demands: Demands) {
        self.demands = demands;
        self.verdict = Verdict::of(self);
        self.failures = self.verdict.goals_in(VerdictState::Missed).map(GoalReport::line).collect();
    }

    /// Reads the report of a bundle.
    ///
    /// # Errors
    /// A file that is no report, or one of another schema.
    pub fn read(bundle: &Bundle) -> Result<Self> {
        Self::parse(&bundle.read(REPORT, LARGEST_JSON)?, &bundle.path(REPORT))
    }

    /// A report from the text of its file; `path` is only for messages.
    ///
    /// # Errors
    /// As for [`Report::read`].
    pub fn parse(text: &[u8], path: &Path) -> Result<Self> {
        let mut made: Report = json_of(path, text, SCHEMA, "run `autoneural verify` again")?;
        // One that was written elsewhere may say anything.
        made.verdict = Verdict::of(&made);
        Ok(made)
    }

    /// The text of its file.
    ///
    /// # Errors
    /// A number that JSON does not know, which is a defect.
    pub fn text(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::internal(REPORT, error))?;
        Ok(text + "\n")
    }
}

/// How many nodes of a partition are in its context binaries; none where one of those is missing.
pub fn npu_nodes(bundle: &Bundle, partition: &Partition, segments: &[Segment]) -> Result<Option<usize>> {
    let mut count = 0;
    for segment in segments.iter().filter(|segment| segment.device == Device::Npu) {
        if !bundle.has_file(&segment.file()) {
            return Ok(None);
        }
        let outside = Runtime::nodes_outside(&bundle.path(segment.file()))?;
        count += segment.node_count(&partition.graph).saturating_sub(outside);
    }
    Ok(Some(count))
}

/// How many nodes of a partition are in segments on the CPU.
pub fn cpu_nodes(partition: &Partition, segments: &[Segment]) -> usize {
    let on_cpu = segments.iter().filter(|segment| segment.device == Device::Cpu);
    on_cpu.map(|segment| segment.node_count(&partition.graph)).sum()
}
