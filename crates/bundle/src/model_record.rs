//! Models in the manifest: which file is what, and how ONNX Runtime loads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use autoneural_core::segment::Device;
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::{Runtime, provider_options};

/// What carries out a partition, or a segment of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The partition.
    pub partition: String,
    /// Name of the segment; the partition's own where it is not cut.
    pub segment: String,
    /// Where it runs.
    pub device: Device,
    /// The quantized model, which ONNX Runtime runs on a CPU. Of a partition in segments, the segment's.
    pub quantized: String,
    /// The weights that the quantized model refers to.
    pub data: String,
    /// What the NPU loads, once it is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextRecord>,
}

/// A context binary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContextRecord {
    /// The context binary, which QNN loads as it is.
    pub binary: String,
    /// The ONNX model with one node that stands for the binary, for ONNX Runtime's QNN provider. It lies beside the
    /// binary.
    pub model: String,
    /// Name of the graph in the binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// The build of QNN (QAIRT) that made it, as the provider names it. A device needs this version or a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk_build: Option<String>,
    /// QNN's number of the SoC that it was compiled for.
    pub soc_model: u32,
    /// Version of the Hexagon tensor processor (HTP) that it was compiled for.
    pub htp_arch: u32,
    /// MiB of tightly coupled memory that it was compiled for.
    pub vtcm_mb: u32,
}

/// How ONNX Runtime loads the models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeRecord {
    /// Name of the provider of context models: a plugin, which is registered under this name and chosen by its devices.
    pub provider: String,
    /// The library that is registered, of the package onnxruntime-qnn.
    pub library: String,
    /// The provider's options. Without `backend_path` (or with another provider) a context model is "not compatible
    /// with any execution provider"; a name without a folder is looked for beside the provider's library.
    pub options: BTreeMap<String, String>,
    /// Session options (configuration entries) with which a node that is not on the NPU is an error.
    pub session: BTreeMap<String, String>,
    /// The provider of quantized models. Their figures are those of graph optimization level "disable all": anything
    /// else changes the arithmetic.
    pub simulated_provider: String,
}

impl RuntimeRecord {
    /// For context binaries of a target.
    pub fn of(target: &Target) -> Self {
        let options = provider_options(target, Runtime::BACKEND);
        RuntimeRecord {
            provider: Runtime::PROVIDER.into(),
            library: Runtime::LIBRARY.into(),
            options: options.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
            session: [Runtime::NO_FALLBACK].map(|(name, value)| (name.to_string(), value.to_string())).into(),
            simulated_provider: Runtime::CPU.into(),
        }
    }
}
