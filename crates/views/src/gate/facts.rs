//! What a gate looks at in a bundle: its report, manifest and encodings go in, the facts of them come out. A baseline
//! is the facts of a bundle that was accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::flow::Flow;
use super::set_facts::{self, SetFacts};
use super::tensor::TensorFact;
use super::unique::unique;
use autoneural_app::evaluate::{EvaluationReport, TextEngine, TextReport};
use autoneural_app::report::{Columns, GoalKind, PartitionReport, PartitionSizes, Report};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Silent;
use autoneural_bundle::{Bundle, REPORT, Stage, short};
use autoneural_core::encoding::IntegerType;
use autoneural_core::engine::EngineKind;
use autoneural_engines::back::encodings;

/// Version of the format of facts.
pub(crate) const SCHEMA: u32 = 1;

/// Everything that is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Version of this format.
    pub schema: u32,
    /// Name of the model.
    pub model: String,
    /// Name of the target.
    pub target: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Number of verification samples.
    pub samples: usize,
    /// Tokens that follow each prompt at most.
    #[serde(rename = "decode_steps")]
    pub steps: usize,
    /// Versions of the program and of the vendor toolkit, by name.
    #[serde(deserialize_with = "unique")]
    pub versions: BTreeMap<String, String>,
    /// The first digits of the SHA-256 of what the bundle was made from, by path in the bundle.
    #[serde(deserialize_with = "unique")]
    pub inputs: BTreeMap<String, String>,
    /// What a device holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_bytes: Option<u64>,
    /// Whole sequences.
    pub chain: ChainFacts,
    /// Evaluations by name and engine.
    #[serde(default, deserialize_with = "unique")]
    pub evaluations: BTreeMap<String, EvaluationFacts>,
    /// Sets of samples by name and engine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub sets: BTreeMap<String, SetFacts>,
    /// Goals of the recipe: what is wanted, by what it is of and its kind. A baseline of a version before has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub goals: BTreeMap<String, BTreeMap<GoalKind, f64>>,
    /// Partitions by name.
    #[serde(deserialize_with = "unique")]
    pub partitions: BTreeMap<String, PartitionFacts>,
    /// What follows from what in the bundle; no part of a baseline.
    #[serde(skip)]
    pub flow: Flow,
}

/// Of whole sequences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainFacts {
    /// SQNR of the logits in dB.
    pub logits_db: Columns,
    /// Steps with the token of float, in percent.
    pub same_token_percent: Columns,
}

/// Of an evaluation on one engine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationFacts {
    /// Number of questions, or of windows of a text.
    pub questions: usize,
    /// Exact answers; a text has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_percent: Option<f64>,
    /// Perplexity of the right answers, or of a text.
    pub perplexity: f64,
}

/// Of a partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionFacts {
    /// Bits, such as W8A16.
    pub weights: String,
    /// Nodes of the graph.
    pub nodes: usize,
    /// How many of them are in the context binary.
    pub npu_nodes: Option<usize>,
    /// The context binary.
    pub binary_bytes: Option<u64>,
    /// Inputs that are not state, and outputs.
    pub buffer_bytes: Option<u64>,
    /// Outputs by name.
    #[serde(deserialize_with = "unique")]
    pub outputs: BTreeMap<String, OutputFacts>,
    /// SQNR of layers in dB, by name; those of them that were measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub layers: BTreeMap<String, Columns>,
    /// Encodings of activations by name.
    #[serde(deserialize_with = "unique")]
    pub activations: BTreeMap<String, TensorFact>,
    /// Encodings of constants by name. Those of int32 biases follow from others and are not among them.
    #[serde(deserialize_with = "unique")]
    pub constants: BTreeMap<String, TensorFact>,
}

/// Of an output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputFacts {
    /// SQNR in dB.
    pub sqnr_db: Columns,
    /// RMS error in percent.
    pub rms_error_percent: Columns,
    /// SQNR of the worst sample, in dB; none where there is one sample, and in a baseline of a version before.
    #[serde(default, skip_serializing_if = "is_none")]
    pub worst_db: Columns,
}

fn is_none(columns: &Columns) -> bool {
    *columns == Columns::default()
}

impl Facts {
    /// The facts of a bundle, and its report.
    ///
    /// # Errors
    /// A bundle that was never verified or is damaged; a report that says what cannot be.
    pub fn of(bundle: &Bundle) -> Result<(Self, Report)> {
        let place = bundle.path("");
        if !bundle.manifest.has(Stage::Verify.name()) || !bundle.has_file(REPORT) {
            return Err(Error::input(place.display(), "was never verified, so it has no figures")
                .help("run `autoneural verify` with the vendor toolkit"));
        }
        let program = bundle.program()?;
        let is_graph = |path: &str| program.graphs().iter().any(|name| path == format!("model/{name}.json"));
        let is_read = |path: &str| path == REPORT || path.starts_with("encodings/") || is_graph(path);
        bundle.check(&is_read, &Silent)?;
        let path = bundle.path(REPORT);
        let report = Report::read(bundle)?;
        let manifest = &bundle.manifest;
        if (&report.model, &report.target) != (&manifest.model, &manifest.target) {
            let (model, target) = (&report.model, &report.target);
            let message =
                format!("is of {model} for {target}, the bundle of {} for {}", manifest.model, manifest.target);
            return Err(Error::input(path.display(), message));
        }
        let mut partitions = BTreeMap::new();
        for partition in &report.partitions {
            let facts = partition_facts(bundle, &report, partition)?;
            if partitions.insert(partition.name.clone(), facts).is_some() {
                return Err(Error::input(path.display(), format!("has the partition `{}` twice", partition.name)));
            }
        }
        let facts = Facts {
            schema: SCHEMA,
            model: report.model.clone(),
            target: report.target.clone(),
            recipe: report.samples.recipe.clone(),
            samples: report.samples.samples,
            steps: report.samples.steps,
            versions: versions(bundle),
            inputs: inputs(bundle),
            device_bytes: report.sizes.as_ref().map(|sizes| sizes.device.total_bytes),
            chain: ChainFacts {
                logits_db: report.chain.logits_sqnr_db,
                same_token_percent: report.chain.top1_agreement_percent,
            },
            evaluations: report
                .evaluations
                .iter()
                .flat_map(evaluation_facts)
                .chain(report.texts.iter().flat_map(text_facts))
                .collect(),
            sets: report.array_evaluations.iter().flat_map(set_facts::facts).collect(),
            goals: goals(&report),
            partitions,
            flow: Flow::of(bundle, &report.partitions)?,
        };
        facts.check().map_err(|message| Error::input(path.display(), message).help("verify the bundle again"))?;
        Ok((facts, report))
    }

    /// Refuses figures that no run can give.
    ///
    /// # Errors
    /// The first such figure, with its place.
    pub fn check(&self) -> Result<(), String> {
        let within = |place: &str, what: &str, value: Option<f64>, least: f64, most: f64| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err(format!("says {what} {value} of {place}, which is impossible ({least} to {most})"))
            }
            _ => Ok(()),
        };
        let both = |place: &str, what: &str, columns: Columns, least: f64, most: f64| {
            within(place, what, columns.simulated, least, most)?;
            within(place, what, columns.npu, least, most)
        };
        both("sequences", "SQNR", self.chain.logits_db, -200.0, 200.0)?;
        both("sequences", "same token", self.chain.same_token_percent, 0.0, 100.0)?;
        for (name, facts) in &self.evaluations {
            within(name, "accuracy", facts.accuracy_percent, 0.0, 100.0)?;
            within(name, "perplexity", Some(facts.perplexity), 1.0, f64::MAX)?;
        }
        if let Some(message) = set_facts::impossible(&self.sets) {
            return Err(message);
        }
        if self.partitions.is_empty() {
            return Err("has no partition".into());
        }
        for (name, partition) in &self.partitions {
            if partition.outputs.is_empty() {
                return Err(format!("says nothing of any output of {name}"));
            }
            if let Some(npu_nodes) = partition.npu_nodes.filter(|count| *count > partition.nodes) {
                return Err(format!("says that {npu_nodes} of {} nodes of {name} are on the NPU", partition.nodes));
            }
            for (output, facts) in &partition.outputs {
                let place = format!("{name}: {output}");
                both(&place, "SQNR", facts.sqnr_db, -200.0, 200.0)?;
                both(&place, "SQNR of the worst sample", facts.worst_db, -200.0, 200.0)?;
                both(&place, "RMS error", facts.rms_error_percent, 0.0, 1e12)?;
            }
            for (layer, columns) in &partition.layers {
                both(&format!("{name}: {layer}"), "SQNR", *columns, -200.0, 200.0)?;
            }
        }
        Ok(())
    }
}

fn partition_facts(bundle: &Bundle, report: &Report, partition: &PartitionReport) -> Result<PartitionFacts> {
    let path = bundle.path(REPORT);
    let twice = |what: &str, name: &str| {
        Error::input(path.display(), format!("has the {what} `{name}` of {} twice", partition.name))
    };
    let mut outputs = BTreeMap::new();
    for output in &partition.outputs {
        let of_several = output.by_sample.as_ref().filter(|found| found.samples > 1);
        let facts = OutputFacts {
            sqnr_db: output.sqnr_db,
            rms_error_percent: output.rms_error_percent,
            worst_db: of_several.map(|found| found.worst_db).unwrap_or_default(),
        };
        if outputs.insert(output.name.clone(), facts).is_some() {
            return Err(twice("output", &output.name));
        }
    }
    let mut layers = BTreeMap::new();
    for layer in partition.layers.iter().filter(|layer| layer.sqnr_db != Columns::default()) {
        if layers.insert(layer.name.clone(), layer.sqnr_db).is_some() {
            return Err(twice("layer", &layer.name));
        }
    }
    let file = format!("encodings/{}.json", partition.name);
    if !bundle.has_file(&file) {
        let message = format!("has the partition `{}`, of which the bundle has no encodings", partition.name);
        return Err(Error::input(path.display(), message));
    }
    let table = encodings::look(&bundle.read(&file, encodings::LARGEST)?, &bundle.path(&file))?;
    let constants = table.params.iter().filter(|(_, encoding)| encoding.integer != IntegerType::Int32);
    let sizes = report.sizes.as_ref().and_then(|sizes| sizes.partitions.iter().find(|s| s.name == partition.name));
    let buffers = |sizes: &PartitionSizes| {
        sizes.input_bytes.saturating_sub(sizes.state_input_bytes).saturating_add(sizes.output_bytes)
    };
    Ok(PartitionFacts {
        weights: partition.weights.clone(),
        nodes: partition.nodes,
        npu_nodes: partition.npu_nodes,
        binary_bytes: partition.binary_bytes,
        buffer_bytes: sizes.map(buffers),
        outputs,
        layers,
        activations: table.activations.iter().map(|(n, e)| (n.clone(), TensorFact::activation(e))).collect(),
        constants: constants.map(|(name, e)| (name.clone(), TensorFact::constant(e))).collect(),
    })
}

/// What an evaluation on an engine is called in facts.
pub fn evaluation_name(report: &EvaluationReport, engine: EngineKind) -> String {
    let blank = if report.blank { ", blank" } else { "" };
    format!("{} of {}{blank} on {}", report.questions, report.set, engine.name())
}

/// What the reading of a text on an engine is called in facts.
pub fn text_name(report: &TextReport, engine: EngineKind) -> String {
    let TextReport { text, window, windows, .. } = report;
    format!("windows {windows} of {window} tokens of {text} on {}", engine.name())
}

/// One entry per engine.
fn text_facts(report: &TextReport) -> Vec<(String, EvaluationFacts)> {
    let questions = report.windows.end.saturating_sub(report.windows.start);
    let facts = |engine: &TextEngine| {
        let facts = EvaluationFacts { questions, accuracy_percent: None, perplexity: engine.perplexity };
        (text_name(report, engine.engine), facts)
    };
    report.engines.iter().map(facts).collect()
}

/// One entry per engine.
fn evaluation_facts(report: &EvaluationReport) -> Vec<(String, EvaluationFacts)> {
    let facts = |engine: &autoneural_app::evaluate::EngineReport| {
        let facts = EvaluationFacts {
            questions: report.questions,
            accuracy_percent: Some(engine.total.exact_match_percent),
            perplexity: engine.total.perplexity,
        };
        (evaluation_name(report, engine.engine), facts)
    };
    report.engines.iter().map(facts).collect()
}

/// Goals that the recipe states, resolved to single outputs; those of the command line are none of its.
fn goals(report: &Report) -> BTreeMap<String, BTreeMap<GoalKind, f64>> {
    let mut made: BTreeMap<String, BTreeMap<GoalKind, f64>> = BTreeMap::new();
    let mut add = |of: &str, kind, wanted: Option<f64>| {
        if let Some(wanted) = wanted {
            made.entry(of.to_string()).or_default().insert(kind, wanted);
        }
    };
    for partition in &report.partitions {
        for output in &partition.outputs {
            let wanted = report.goals.of_output(&partition.name, &output.name);
            add(&format!("{}/{}", partition.name, output.name), GoalKind::OutputSqnr, wanted);
        }
    }
    if let Some(of) = &report.goals.sequences {
        add("sequences", GoalKind::SequenceSqnr, of.logits_sqnr_db);
        add("sequences", GoalKind::SequenceTokens, of.same_token_percent);
    }
    if let Some(of) = &report.goals.evaluation {
        let set = of.set.as_deref().unwrap_or(ANY_SET);
        add(set, GoalKind::ExactMatch, of.exact_match_percent);
        add(set, GoalKind::ExactMatchLoss, of.exact_match_loss_points);
        add(set, GoalKind::PerplexityIncrease, of.perplexity_increase_percent);
        add(set, GoalKind::TokenAgreement, of.token_agreement_percent);
        let set = of.set.as_deref().unwrap_or(ANY_SAMPLES);
        add(set, GoalKind::Top1, of.top1_percent);
        add(set, GoalKind::Top1Loss, of.top1_loss_points);
        add(set, GoalKind::Top5, of.top5_percent);
        add(set, GoalKind::Top5Loss, of.top5_loss_points);
        add(set, GoalKind::SameClass, of.same_class_percent);
    }
    made
}

/// Where a goal is of every set of questions.
const ANY_SET: &str = "questions";
/// Where a goal is of every set of samples with labels.
const ANY_SAMPLES: &str = "samples";

fn versions(bundle: &Bundle) -> BTreeMap<String, String> {
    let (tool, toolkit) = (&bundle.manifest.tool, bundle.manifest.toolkit.as_ref());
    let of = |name: &str, version: Option<&String>| version.map(|version| (name.to_string(), version.clone()));
    let found = [
        of(&tool.name, Some(&tool.version)),
        of("onnxruntime", toolkit.and_then(|toolkit| toolkit.onnxruntime.as_ref())),
        of("onnxruntime_qnn", toolkit.and_then(|toolkit| toolkit.onnxruntime_qnn.as_ref())),
    ];
    found.into_iter().flatten().collect()
}

fn inputs(bundle: &Bundle) -> BTreeMap<String, String> {
    let is_input = |path: &str| {
        let (folder, file) = path.split_once('/').unwrap_or_default();
        match folder {
            "model" => [".data", ".toml", ".safetensors"].iter().any(|end| file.ends_with(end)),
            "calibration" => file == "recipe.toml" || file == "images.json",
            "encodings" => file.starts_with("given/"),
            _ => false,
        }
    };
    let files = bundle.manifest.files.iter().filter(|file| is_input(&file.path));
    files.map(|file| (file.path.clone(), short(&file.sha256))).collect()
}
