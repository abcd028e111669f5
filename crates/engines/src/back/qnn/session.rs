//! Sessions: the quantized model on the CPU, a new context binary, a context binary on the NPU.

use std::borrow::Cow;
use std::path::Path;

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use autoneural_onnx::{Message, ModelProto, encode, raise};

use super::loading::{Loaded, PROVIDER, load};
use super::{Compiler, Job, Layout, Toolkit};
use crate::back::onnx::{check_context, check_float, check_quantized, decode};
use crate::engine::{OrtSession, SegmentSession};
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::limits;
use autoneural_base::utf8_path::Utf8Path;
use autoneural_core::ir::ValueId;
use autoneural_core::partition::Partition;
use autoneural_core::segment::{Device, Segment, cut};
use autoneural_core::target::Target;

/// What the provider says when the file system does not take a context binary.
const NOT_WRITTEN: &str = "Failed to write context";
/// Bytes of address space that the provider takes for a small model on two cores; with less its threads break off.
const ADDRESS_SPACE: u64 = 3 << 29;
/// Longest name that is taken over from a context model.
const LONGEST_NAME: usize = 512;
/// Operator of a node that stands for a whole context binary.
const CONTEXT_NODE: &str = "EPContext";

/// ONNX Runtime, loaded; with the QNN provider if the toolkit has it. One per process.
pub struct Runtime {
    environment: Environment,
    backend: Option<String>,
    identity: String,
    /// Whether the versions are those that this program is tested with.
    is_tested: bool,
}

/// What a context model says of its binary.
pub struct ContextFacts {
    /// Name of the binary's file, which lies beside the model.
    pub binary: String,
    /// Name of the graph in the binary.
    pub graph: Option<String>,
    /// The build of QNN that made it.
    pub sdk_build: Option<String>,
}

/// The provider's options for a target, without the provider's name before them.
pub fn provider_options(target: &Target, backend: &str) -> [(&'static str, String); 5] {
    let soc = &target.soc;
    [
        ("backend_path", backend.to_string()),
        ("soc_model", soc.soc_model.to_string()),
        ("htp_arch", soc.htp_arch.to_string()),
        ("vtcm_mb", soc.vtcm_mb.to_string()),
        // Borders are integers; the provider must not put conversions of its own around them.
        ("offload_graph_io_quantization", "0".into()),
    ]
}

/// The provider's option with which weights in blocks stay integers, if their scales are on the grid
/// ([`autoneural_core::quantize::in_blocks`]). Without it the provider computes them in float, or leaves them to the CPU.
const BLOCKS: (&str, &str) = ("enable_block_quant_weight_optimization", "1");

impl Runtime {
    /// Name of ONNX Runtime's own provider.
    pub const CPU: &str = "CPUExecutionProvider";
    /// Name under which the plugin provider is registered.
    pub const PROVIDER: &str = PROVIDER;
    /// The plugin provider's library.
    pub const LIBRARY: &str = "libonnxruntime_providers_qnn.so";
    /// The backend that loads context binaries: the driver of the NPU, or its emulator.
    pub const BACKEND: &str = "libQnnHtp.so";
    /// Session option with which a node outside the NPU is an error.
    pub const NO_FALLBACK: (&str, &str) = ("session.disable_cpu_ep_fallback", "1");

    /// Loads the libraries, in a process from which nothing is sent: see [`super::quiet`].
    ///
    /// # Errors
    /// The toolkit has no ONNX Runtime or an older one, a library does not load, the environment is not quiet.
    pub fn load(toolkit: &Toolkit) -> Result<Self> {
        let Loaded { environment, backend } = load(toolkit)?;
        let is_tested = toolkit.untested().is_empty();
        Ok(Runtime { environment, backend, identity: toolkit.identity()?, is_tested })
    }

    /// Refuses to begin with too little address space, because the provider would abort the process.
    ///
    /// # Errors
    /// This process may take less address space than the provider needs.
    pub fn refuse_scant_address_space() -> Result<()> {
        limits::refuse_scant_address_space(ADDRESS_SPACE)
    }

    /// Whether context binaries can be made and run.
    pub fn has_npu(&self) -> bool {
        self.backend.is_some()
    }

    /// Loads a quantized model on the CPU. Every node runs as it is written, without optimizations that change
    /// arithmetic.
    ///
    /// # Errors
    /// The file is missing or unreadable, is not the model of the partition, or ONNX Runtime refuses it.
    pub fn simulate(&self, partition: &Partition, model: &Path) -> Result<OrtSession> {
        // The float model is accepted as well.
        check_quantized(&partition.graph, &partition.group, model)
            .or_else(|error| check_float(partition, model).map_err(|_| error.within(&partition.name)))?;
        let session = self.cpu_session(&partition.name, model)?;
        Ok(OrtSession::new(partition, "simulated", vec![SegmentSession::whole(partition, session)]))
    }

    fn cpu_session(&self, name: &str, model: &Path) -> Result<Session> {
        let open = || -> ort::Result<Session> {
            self.cpu_builder()?.with_optimization_level(GraphOptimizationLevel::Disable)?.commit_from_file(model)
        };
        open().map_err(|error| {
            limits::explained(match self.is_tested {
                // The tested version loads every model that this program writes.
                true => Error::input(model.display(), format!("ONNX Runtime does not load it: {error}"))
                    .help("the file is damaged: `autoneural emit` makes it anew")
                    .within(name),
                false => Error::toolkit(name, format!("ONNX Runtime does not load {}: {error}", model.display())),
            })
        })
    }

    /// A session on the CPU.
    pub(super) fn cpu_builder(&self) -> ort::Result<SessionBuilder> {
        Ok(Session::builder(&self.environment)?
            .with_devices(self.devices(Self::CPU), None)?
            .with_log_level(ort::logging::LogLevel::Fatal)?)
    }

    fn devices(&self, provider: &'static str) -> impl Iterator<Item = ort::device::Device<'_>> {
        self.environment.devices().filter(move |device| device.ep().is_ok_and(|name| name == provider))
    }

    /// A session on the NPU of a target, or on its emulator.
    pub(super) fn npu_builder(&self, target: &Target) -> ort::Result<SessionBuilder> {
        self.npu_builder_with(target, [])
    }

    /// A session with further options of the provider.
    fn npu_builder_with<const N: usize>(
        &self,
        target: &Target,
        more: [(&'static str, String); N],
    ) -> ort::Result<SessionBuilder> {
        let options = provider_options(target, self.backend.as_deref().unwrap_or_default());
        let blocks = (BLOCKS.0, BLOCKS.1.to_string());
        let options = options.into_iter().chain([blocks]).chain(more);
        let options: Vec<(String, String)> =
            options.map(|(name, value)| (format!("{PROVIDER}.{name}"), value)).collect();
        Ok(Session::builder(&self.environment)?
            .with_log_level(ort::logging::LogLevel::Fatal)?
            .with_devices(self.devices(PROVIDER), Some(&options))?)
    }

    fn compile_with(
        &self,
        model: &Path,
        data: Option<&Path>,
        target: &Target,
        context: &Path,
        (layout, fallback): (&Path, bool),
    ) -> ort::Result<()> {
        let text = |path| Utf8Path::of(path).map_err(|error| ort::Error::new(error.to_string()));
        let written = text(context)?;
        let mut builder = self
            .npu_builder_with(target, Layout::options(text(layout)?.as_str()))?
            .with_config_entry("ep.context_enable", "1")?
            .with_config_entry("ep.context_embed_mode", "0")?
            .with_config_entry("ep.context_file_path", written.as_str())?;
        if !fallback {
            builder = builder.with_config_entry(Self::NO_FALLBACK.0, Self::NO_FALLBACK.1)?;
        }
        // From memory, not from the file: the graph in the binary is named by a hash of the model's path if it has one,
        // and of its contents otherwise. Only the latter makes two runs give the same bytes.
        let read =
            |path: &Path| std::fs::read(path).map_err(|error| ort::Error::new(format!("{}: {error}", path.display())));
        if let Some(data) = data {
            let name = data.file_name().unwrap_or_default();
            builder = builder.with_external_initializer_file_in_memory(name, read(data)?.into())?;
        }
        builder.commit_from_memory(&raised(&read(model)?)?).map(drop)
    }

    /// Compiles again with fallback allowed and reads which nodes stayed outside.
    fn nodes_left_to_cpu(
        &self,
        model: &Path,
        data: Option<&Path>,
        target: &Target,
        (context, layout): (&Path, &Path),
    ) -> Vec<String> {
        let probe = context.with_extension("probe.onnx");
        let compiled = self.compile_with(model, data, target, &probe, (layout, true));
        let mut names = Vec::new();
        if compiled.is_ok()
            && let Ok(made) = decode(&probe)
        {
            for node in made.graph.iter().flat_map(|graph| &graph.node) {
                if node.op_type != CONTEXT_NODE
                    && !node.op_type.ends_with("quantizeLinear")
                    && node.op_type != "QuantizeLinear"
                {
                    names.push(format!("{} ({})", node.name, node.op_type));
                }
            }
        }
        names
    }

    /// Loads a context binary on the NPU, or on its emulator if there is no NPU.
    ///
    /// # Errors
    /// The file is missing or unreadable, is not the context model of the partition, or the toolkit refuses it.
    pub fn open_context(&self, partition: &Partition, context: &Path, target: &Target) -> Result<OrtSession> {
        let graph = &partition.graph;
        check_context(graph, graph.inputs(), graph.outputs(), context)
            .map_err(|error| error.within(&partition.name))?;
        let session = self.npu_session(&partition.name, context, target)?;
        Ok(OrtSession::new(partition, "npu", vec![SegmentSession::whole(partition, session)]))
    }

    /// Loads the segments of a partition in order, each on its device; their files are in the folder `bundle`.
    ///
    /// # Errors
    /// As for [`Runtime::open_context`], for any of the segments.
    pub fn open_segments(
        &self,
        partition: &Partition,
        segments: &[Segment],
        bundle: &Path,
        target: &Target,
    ) -> Result<OrtSession> {
        let mut parts = Vec::new();
        for segment in segments {
            let model = bundle.join(segment.file());
            let session = match segment.device {
                Device::Npu => {
                    let checked = check_context(&partition.graph, &segment.inputs, &segment.outputs, &model);
                    checked.map_err(|error| error.within(&segment.name))?;
                    self.npu_session(&segment.name, &model, target)?
                }
                Device::Cpu => {
                    let graph = match segments {
                        [_] => &partition.graph,
                        _ => &cut(&partition.graph, segment)?,
                    };
                    let checked = check_quantized(graph, &partition.group, &model);
                    checked.map_err(|error| error.within(&segment.name))?;
                    self.cpu_session(&segment.name, &model)?
                }
            };
            let names = |ids: &[ValueId]| ids.iter().map(|&id| partition.graph.value(id).name.clone()).collect();
            parts.push(SegmentSession { inputs: names(&segment.inputs), outputs: names(&segment.outputs), session });
        }
        Ok(OrtSession::new(partition, "npu", parts))
    }

    fn npu_session(&self, name: &str, context: &Path, target: &Target) -> Result<Session> {
        let binary = Self::binary_of(context)?;
        if !std::fs::metadata(&binary).reading(&binary)?.is_file() {
            return Err(Error::input(binary.display(), "is no file").within(name));
        }
        Self::refuse_scant_address_space()?;
        let open = || -> ort::Result<Session> {
            self.npu_builder(target)?
                .with_config_entry(Self::NO_FALLBACK.0, Self::NO_FALLBACK.1)?
                .commit_from_file(context)
        };
        open().map_err(|error| {
            let error = format!("the NPU does not load {}: {error}", context.display());
            limits::explained(Error::toolkit(name, error))
        })
    }

    /// Number of nodes of a context model that are outside its context binary.
    ///
    /// # Errors
    /// The file is missing, unreadable or no ONNX model.
    pub fn nodes_outside(context: &Path) -> Result<usize> {
        let model = decode(context)?;
        Ok(model.graph.iter().flat_map(|graph| &graph.node).filter(|node| node.op_type != CONTEXT_NODE).count())
    }

    /// Path of the binary that a context model refers to; it is beside the model.
    ///
    /// # Errors
    /// The model refers to no binary, to one in another folder or a hidden one, or to something else than a regular
    /// file.
    pub fn binary_of(context: &Path) -> Result<std::path::PathBuf> {
        let names = Self::binaries_of(context)?;
        Ok(context.with_file_name(names.first().map(String::as_str).unwrap_or_default()))
    }

    /// What a context model says of its binary. Texts that are no names are left out.
    ///
    /// # Errors
    /// As for [`Runtime::binary_of`].
    pub fn facts_of(context: &Path) -> Result<ContextFacts> {
        let binary = Self::binaries_of(context)?.swap_remove(0);
        let model = decode(context)?;
        let nodes = model.graph.iter().flat_map(|graph| &graph.node).filter(|node| node.op_type == CONTEXT_NODE);
        let attributes: Vec<_> = nodes.flat_map(|node| &node.attribute).collect();
        let text = |name: &str| {
            let found = attributes.iter().find(|one| one.name == name)?;
            String::from_utf8(found.s.clone()).ok().filter(|text| !text.is_empty() && text.len() < LONGEST_NAME)
        };
        Ok(ContextFacts { binary, graph: text("partition_name"), sdk_build: text("ep_sdk_version") })
    }

    /// Names of all binaries that a context model refers to, one at least; they are beside the model.
    ///
    /// # Errors
    /// As for [`Runtime::binary_of`].
    pub fn binaries_of(context: &Path) -> Result<Vec<String>> {
        let model = decode(context)?;
        let nodes = model.graph.iter().flat_map(|graph| &graph.node).filter(|node| node.op_type == CONTEXT_NODE);
        let attributes = nodes.flat_map(|node| &node.attribute).filter(|one| one.name == "ep_cache_context");
        let mut names: Vec<String> = attributes.map(|one| String::from_utf8_lossy(&one.s).into_owned()).collect();
        if names.is_empty() {
            names.push(String::new());
        }
        for name in &names {
            let is_plain = Path::new(name).file_name().is_some_and(|file| file.to_string_lossy() == *name);
            if !is_plain || name.starts_with('.') {
                let message = format!("refers to the binary `{name}`; a file beside it is wanted, and no hidden one");
                return Err(Error::input(context.display(), message));
            }
            let binary = context.with_file_name(name);
            if let Ok(meta) = binary.symlink_metadata() {
                autoneural_base::files::refuse_irregular(&meta, &binary)?;
            }
        }
        Ok(names)
    }
}

/// A model as the NPU is given it: with biases raised by what it cuts off of them.
pub(super) fn raised(model: &[u8]) -> ort::Result<Cow<'_, [u8]>> {
    let mut made = ModelProto::decode(model).map_err(|error| ort::Error::new(error.to_string()))?;
    Ok(if raise(&mut made) { Cow::Owned(encode(&made)) } else { Cow::Borrowed(model) })
}

impl Compiler for Runtime {
    fn identity(&self) -> &str {
        &self.identity
    }

    /// Compiles a model; no node may be left to the CPU. How the provider laid it out is written beside the context model.
    fn compile(&self, job: &Job) -> Result<()> {
        let Job { name, model, data, target, context, .. } = *job;
        Self::refuse_scant_address_space()?;
        let data = Some(data).filter(|data| data.is_file());
        let folder = context.parent().unwrap_or(Path::new(""));
        let layout = tempfile::tempdir_in(folder).map_err(|error| Error::io(folder, &error))?;
        match self.compile_with(model, data, target, context, (layout.path(), false)) {
            Ok(()) => Layout::of_folder(layout.path())?.write(context),
            // The provider gives no code of the system for this.
            Err(error) if error.to_string().contains(NOT_WRITTEN) => {
                let refused = std::io::Error::new(std::io::ErrorKind::StorageFull, "the context binary is not written");
                Err(Error::io(context, &refused))
            }
            Err(error) => {
                let left = self.nodes_left_to_cpu(model, data, target, (context, layout.path()));
                let message = match left.as_slice() {
                    [] => format!("the NPU compiler refuses the graph: {error}"),
                    names => format!("the NPU compiler leaves {} nodes to the CPU: {}", names.len(), names.join(", ")),
                };
                let help = format!("the target file says what {} takes; an entry may be wrong", target.name);
                Err(limits::explained(Error::toolkit(name, message).help(help)))
            }
        }
    }
}
