//! `manifest.json`: what made the bundle, every file, and the contract of every partition.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::file_record::{FileRecord, models};
use super::model_record::{ModelRecord, RuntimeRecord};
use super::paths::MANIFEST;
use super::segment_record::SegmentRecord;
use autoneural_base::error::{Error, Result};
use autoneural_base::files::Folder;
use autoneural_base::json::{json_of, text_of};
use autoneural_base::version::{PROGRAM, VERSION};
use autoneural_base::warning::Warning;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::engine::EngineKind;
use autoneural_core::ir::ElementType;
use autoneural_core::partition::{Partition, Port};
use autoneural_core::program::Padding;
use autoneural_core::quantize::{Counts, Table};
use autoneural_engines::back::qnn::{Toolkit, version_text};
use autoneural_host::{HostRecord, StateRecord};

/// Version of the manifest's format.
const SCHEMA: u32 = 1;

/// The manifest of a bundle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub schema: u32,
    /// What made the bundle: name and version.
    pub tool: Tool,
    /// Versions of the vendor toolkit that made the context binaries.
    pub toolkit: Option<ToolkitRecord>,
    /// Name of the model.
    pub model: String,
    /// Name of the target.
    pub target: String,
    /// Stages that have run, in order, with the time they took.
    pub stages: Vec<StageRecord>,
    /// Encodings that were learned elsewhere and taken in place of calibrated ones.
    #[serde(default)]
    pub given_encodings: Vec<GivenRecord>,
    /// Warnings for the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// The partitions with their contracts.
    pub partitions: Vec<PartitionRecord>,
    /// The models that carry the partitions out, in order, with their files. Present once `quantize` has run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelRecord>,
    /// How ONNX Runtime loads the models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeRecord>,
    /// What a host needs beside them.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub host: HostRecord,
    /// Golden vectors, if `verify` made some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<GoldenRecord>,
    /// Every file except the manifest.
    pub files: Vec<FileRecord>,
}

/// Golden vectors of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldenRecord {
    /// The steps, as JSON.
    pub file: String,
    /// The tensors, in the safetensors format.
    pub tensors: String,
    /// The engines that made them.
    pub engines: Vec<EngineKind>,
}

fn is_unknown(host: &HostRecord) -> bool {
    *host == HostRecord::default()
}

/// A program and its version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tool {
    /// Name of the program.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Versions of the vendor toolkit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolkitRecord {
    /// ONNX Runtime.
    pub onnxruntime: Option<String>,
    /// QNN provider.
    pub onnxruntime_qnn: Option<String>,
}

impl ToolkitRecord {
    /// The versions of a toolkit.
    pub fn of(toolkit: &Toolkit) -> Self {
        let Toolkit { runtime_version, provider_version, .. } = toolkit;
        ToolkitRecord { onnxruntime: runtime_version.clone(), onnxruntime_qnn: provider_version.clone() }
    }
}

impl std::fmt::Display for ToolkitRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (runtime, provider) = (version_text(&self.onnxruntime), version_text(&self.onnxruntime_qnn));
        write!(f, "onnxruntime {runtime} and onnxruntime-qnn {provider}")
    }
}

/// A stage that has run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Name of the stage.
    pub name: String,
    /// Time that it took, in seconds.
    pub seconds: f64,
    /// Command line of the run that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// A partition and its contract.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// Name of the partition.
    pub name: String,
    /// Bits, such as W8A16.
    pub weights: String,
    /// Where its encodings are from.
    #[serde(default)]
    pub encodings: Counts,
    /// Inputs in order.
    pub inputs: Vec<PortRecord>,
    /// Outputs in order.
    pub outputs: Vec<PortRecord>,
    /// Its segments in order; empty if it is one context binary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentRecord>,
}

/// An input or output with its encoding.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PortRecord {
    /// Name of the tensor.
    pub name: String,
    /// What it is for.
    pub role: String,
    /// Ports with the same key have the same encoding.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub encoding_key: String,
    /// Element type at the border.
    pub dtype: String,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// `real = (integer - zero_point) * scale`; `None` for positions.
    pub scale: Option<f32>,
    /// The integer that stands for 0.0.
    pub zero_point: Option<i64>,
    /// For an input that is state: what it begins with, and which output it is in the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateRecord>,
    /// For an input with a row for each token of a step: what the rows hold that belong to no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<Padding>,
}

/// A file whose encodings were taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenRecord {
    /// Path of its copy in the bundle.
    pub path: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Whether what of it does not fit was settled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
}

/// A file that was read and is no part of the bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputRecord {
    /// Its path as it was named.
    pub path: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Default for Manifest {
    fn default() -> Self {
        let tool = Tool { name: PROGRAM.into(), version: VERSION.into() };
        Manifest {
            schema: SCHEMA,
            tool,
            toolkit: None,
            model: String::new(),
            target: String::new(),
            stages: vec![],
            given_encodings: vec![],
            warnings: vec![],
            partitions: vec![],
            models: vec![],
            runtime: None,
            host: HostRecord::default(),
            golden: None,
            files: vec![],
        }
    }
}

impl Manifest {
    /// Reads and checks the manifest of a bundle.
    ///
    /// # Errors
    /// The manifest is missing, unreadable, malformed or of another schema, or lists a file outside the bundle.
    pub fn read(bundle: &Folder) -> Result<Self> {
        let path = &bundle.path().join(MANIFEST);
        let text = bundle.read(MANIFEST, autoneural_base::text::LARGEST)?;
        let made: Manifest = json_of(path, &text, SCHEMA, "compile the bundle again with this version")?;
        let escapes =
            |file: &&FileRecord| Path::new(&file.path).components().any(|c| !matches!(c, Component::Normal(_)));
        match made.files.iter().find(escapes) {
            Some(file) => {
                Err(Error::input(path.display(), format!("lists `{}`, which is not in the bundle", file.path)))
            }
            None => Ok(made),
        }
    }

    /// Whether a stage has run.
    pub fn has(&self, stage: &str) -> bool {
        self.stages.iter().any(|record| record.name == stage)
    }

    /// Sets the warnings of a stage, in place of those that it gave before.
    pub fn set_warnings(&mut self, stage: &str, warnings: Vec<Warning>) {
        self.warnings.retain(|warning| warning.stage != stage);
        self.warnings.extend(warnings);
    }

    /// Whether another manifest is this one.
    pub fn is(&self, other: &Manifest) -> bool {
        let value = |manifest: &Manifest| serde_json::to_value(manifest).ok();
        value(self) == value(other)
    }

    /// Whether another manifest lists the same models.
    pub fn has_models_of(&self, other: &Manifest) -> bool {
        models(self.files.iter()).eq(models(other.files.iter()))
    }

    /// Whether another manifest says the same, whatever the stages took.
    pub fn says_the_same(&self, other: &Manifest) -> bool {
        let without_times =
            |manifest: &Manifest| serde_json::to_value(Manifest { stages: vec![], ..manifest.clone() }).ok();
        let names = |manifest: &Manifest| manifest.stages.iter().map(|stage| stage.name.clone()).collect::<Vec<_>>();
        names(self) == names(other) && without_times(self) == without_times(other)
    }

    /// Writes the manifest of a bundle, completely or not at all.
    ///
    /// # Errors
    /// The manifest cannot be written.
    pub fn write(&self, bundle: &Folder) -> Result<()> {
        bundle.replace(MANIFEST, text_of(self, &bundle.path().join(MANIFEST))?.as_bytes())
    }
}

impl PartitionRecord {
    /// The contract of a partition; `scheme` is its bits, such as W8A16.
    pub fn new(
        partition: &Partition,
        table: &Table,
        counts: Counts,
        scheme: String,
        segments: Vec<SegmentRecord>,
    ) -> Self {
        let port = |(port, &id): (&Port, &autoneural_core::ir::ValueId)| {
            let value = partition.graph.value(id);
            port_record(port, &value.shape, value.element, table.activations.get(&port.name))
        };
        let input = |(stated, id): (&Port, &autoneural_core::ir::ValueId)| {
            let mut made = port((stated, id));
            let next = partition.outputs.iter().find(|next| next.encoding_key == stated.encoding_key);
            if let (Some(next), Some(fill)) = (next, made.zero_point) {
                let state = stated.meaning.state;
                made.state = state.map(|state| StateRecord::of(state, &made.shape, &next.name, fill));
            }
            let rows = stated.meaning.padding.filter(|rows| made.shape[rows.axis] > 1);
            made.padding = rows.map(|rows| rows.rest);
            made
        };
        PartitionRecord {
            name: partition.name.clone(),
            weights: scheme,
            encodings: counts,
            inputs: partition.inputs.iter().zip(partition.graph.inputs()).map(input).collect(),
            outputs: partition.outputs.iter().zip(partition.graph.outputs()).map(port).collect(),
            segments,
        }
    }
}

/// The encoding of the first input of a role.
///
/// # Errors
/// No partition has an input with this role, or it has no encoding.
pub fn encoding_of(partitions: &[PartitionRecord], role: &str) -> Result<Encoding> {
    let mut inputs = partitions.iter().flat_map(|partition| &partition.inputs);
    let made = inputs.find(|port| port.role == role).and_then(|port| {
        let integer = IntegerType::of_name(&port.dtype).ok()?;
        let (scale, zero_point) = (vec![port.scale?], vec![port.zero_point?]);
        Some(Encoding { integer, scale, zero_point, axis: None, block: None })
    });
    made.ok_or_else(|| Error::internal("manifest", format!("there is no encoding of `{role}`")))
}

fn port_record(port: &Port, shape: &[usize], element: ElementType, encoding: Option<&Encoding>) -> PortRecord {
    let dtype = match (element, encoding) {
        (ElementType::I32, _) => "int32",
        (_, Some(encoding)) => encoding.integer.name(),
        (_, None) => "float32",
    };
    PortRecord {
        name: port.name.clone(),
        role: port.role.clone(),
        encoding_key: port.encoding_key.clone(),
        dtype: dtype.into(),
        shape: shape.to_vec(),
        scale: encoding.map(|encoding| encoding.scale[0]),
        zero_point: encoding.map(|encoding| encoding.zero_point[0]),
        state: None,
        padding: None,
    }
}
