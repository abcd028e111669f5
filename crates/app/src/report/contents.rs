//! The contents of a report.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::coverage::CoverageReport;
use super::outputs::OutputReport;
use super::partition::{PartitionReport, cpu_nodes, in_fp16, npu_nodes};
use super::segments;
use super::sizes::Sizes;
use super::verdict::Verdict;
use crate::drivers::{ChainComparison, PromptsReport};
use crate::evaluate::{ArraysReport, EvaluationReport, TextReport};
use crate::verify::{Comparison, Extent};
use autoneural_base::error::{Error, Result};
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, GivenRecord, InputRecord, REPORT, StageRecord, round};
use autoneural_core::goals::Goals;
use autoneural_core::partition::Partition;
use autoneural_core::quantize::Table;
use autoneural_core::recipe::Recipe;

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
    /// Whether the samples that calibrated were enough, by group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<CoverageReport>,
    /// Encodings that were learned elsewhere and taken in place of calibrated ones.
    pub given_encodings: Vec<GivenRecord>,
    /// One entry per partition.
    pub partitions: Vec<PartitionReport>,
    /// Bytes of weights, state and buffers; `None` in a report of a version that did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Sizes>,
    /// Whole sequences on an engine's own state.
    pub chain: ChainReport,
    /// Questions with known answers, as far as they were asked (`autoneural eval`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<EvaluationReport>,
    /// Sets of samples of a model that takes arrays, as far as they were run (`autoneural eval`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub array_evaluations: Vec<ArraysReport>,
    /// Texts, as far as their perplexity was measured (`autoneural eval --text`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<TextReport>,
    /// What the recipe asks of the figures.
    #[serde(default, skip_serializing_if = "Goals::is_empty")]
    pub goals: Goals,
    /// Whether the figures reach the goals. It is judged again whenever a report is read.
    #[serde(default)]
    pub verdict: Verdict,
    /// What was demanded of the figures on the command line.
    pub demands: Demands,
    /// Goals and demands that are missed, a line each; empty when none is.
    pub failures: Vec<String>,
    /// Warnings about the figures and about the bundle.
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
    /// How the prompts were made; `None` in a report of a version that did not tell them apart.
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

impl Report {
    /// The report of a bundle's comparisons, one list per partition. It does not yet hold demands on the figures, nor
    /// the time that the stages took.
    ///
    /// # Errors
    /// Files of the bundle cannot be read, or a table belongs to another graph.
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
            let segments = autoneural_core::segment::segments(partition, &tables[at], &target)?;
            let record = bundle.manifest.partitions.iter().find(|record| record.name == partition.name);
            made.push(PartitionReport {
                name: partition.name.clone(),
                nodes: partition.node_count(),
                npu_nodes: npu_nodes(bundle, partition, &segments)?,
                cpu_nodes: cpu_nodes(partition, &segments),
                in_fp16: in_fp16(bundle, &segments)?,
                weights: record.map(|record| record.weights.clone()).unwrap_or_default(),
                encodings: record.map(|record| record.encodings).unwrap_or_default(),
                frozen: None,
                steps: comparison.steps[at].clone(),
                binary_bytes: sizes.partitions[at].binary_bytes,
                segments: segments::report(bundle, partition, &tables[at], &segments)?,
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
            calibration: vec![],
            given_encodings: bundle.manifest.given_encodings.clone(),
            partitions: made,
            sizes: Some(sizes),
            chain: ChainReport::new(comparison.chains),
            evaluations: vec![],
            array_evaluations: vec![],
            texts: vec![],
            goals: recipe.goals.clone(),
            verdict: Verdict::default(),
            demands: Demands::default(),
            failures: vec![],
            warnings: vec![],
            left_out,
            stages: vec![],
        })
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
