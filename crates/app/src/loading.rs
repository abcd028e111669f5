//! Engines of a bundle: which of its files each of them needs, and how they are loaded.

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{Bundle, EQUALIZED, Stage};
use autoneural_core::partition::Partition;
use autoneural_core::quantize::Table;
use autoneural_core::segment::{Device, segments};
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::{Runtime, Toolkit};
use autoneural_engines::engine::{Engine, EngineKind, Reference};

/// Loads the engine of a partition.
pub(crate) type Loader<'a> = Box<dyn FnMut(&Partition) -> Result<Box<dyn Engine>> + 'a>;

/// The best engine that a bundle has: the NPU if it was built, the simulation otherwise.
pub fn best_engine(bundle: &Bundle) -> EngineKind {
    if bundle.manifest.has(Stage::Build.name()) { EngineKind::Npu } else { EngineKind::Simulated }
}

/// The stage that makes what an engine loads, and the folder it is in.
fn source(kind: EngineKind) -> (Stage, &'static str) {
    match kind {
        EngineKind::Float => (Stage::Export, "model/"),
        EngineKind::Simulated => (Stage::Emit, "qdq/"),
        EngineKind::Npu => (Stage::Build, "context/"),
    }
}

/// Checks the files that these engines and a host read of a bundle against their SHA-256, and no others.
///
/// # Errors
/// A stage that has not run, a file that is not the one that was written.
pub(crate) fn check(bundle: &Bundle, path: &Path, kinds: &[EngineKind], progress: &dyn Progress) -> Result<()> {
    for (stage, _) in kinds.iter().map(|kind| source(*kind)) {
        if !bundle.manifest.has(stage.name()) {
            return Err(Error::input(path.display(), format!("`{}` has not run", stage.name()))
                .help(format!("run `autoneural {}`, or choose another engine with --on", stage.name())));
        }
    }
    let quantized = kinds.iter().any(|kind| *kind != EngineKind::Float);
    let mut segments = bundle.manifest.partitions.iter().flat_map(|partition| &partition.segments);
    let has_cpu_segments = segments.any(|segment| segment.device == Device::Cpu);
    // The float models are the largest files by far, and integer engines do not load them.
    let needed = |file: &str| {
        let rewritten = kinds.contains(&EngineKind::Float) && file.starts_with(EQUALIZED);
        let of_engine = rewritten || kinds.iter().any(|kind| file.starts_with(source(*kind).1));
        let is_graph = file.starts_with("model/") || file.starts_with(EQUALIZED);
        let of_host = is_graph && !file.ends_with(".onnx") && !file.ends_with(".data");
        let of_segments = kinds.contains(&EngineKind::Npu) && file.starts_with("qdq/") && has_cpu_segments;
        of_engine || of_host || of_segments || (quantized && file.starts_with("encodings/"))
    };
    bundle.check(&needed, progress)?;
    if kinds.contains(&EngineKind::Npu) {
        bundle.check_contexts()?;
    }
    Ok(())
}

/// How the engines of one kind are loaded. `tables` are the encodings of the partitions, where the kind needs them.
///
/// # Errors
/// The runtime lacks what the kind needs, or there are no encodings for it.
pub(crate) fn loader<'a>(
    kind: EngineKind,
    (bundle, target): (&'a Bundle, &'a Target),
    (partitions, tables): (&'a [Partition], Option<&'a [Table]>),
    runtime: Option<&'a Runtime>,
) -> Result<Loader<'a>> {
    let missing = |what: &str| {
        let message = format!("{what} is missing, which `{}` needs", kind.name());
        Error::toolkit("toolkit", message).help(Toolkit::how_to_get())
    };
    let mut load: Loader<'a> = match (kind, tables) {
        (EngineKind::Float, _) => Box::new(|partition| {
            Ok(Box::new(Reference::load(partition, &bundle.float_model(partition))?) as Box<dyn Engine>)
        }),
        (_, None) => return Err(Error::internal("model", format!("it was not opened for `{}`", kind.name()))),
        (EngineKind::Simulated, _) => {
            let runtime = runtime.ok_or_else(|| missing("ONNX Runtime"))?;
            Box::new(|partition| Ok(Box::new(runtime.simulate(partition, &bundle.quantized_model(partition))?)))
        }
        (EngineKind::Npu, Some(tables)) => {
            let runtime = runtime.filter(|runtime| runtime.has_npu()).ok_or_else(|| missing("the QNN provider"))?;
            Box::new(move |partition| {
                let at = partitions.iter().position(|other| other.name == partition.name);
                let table = at.and_then(|at| tables.get(at));
                let table = table.ok_or_else(|| Error::internal(&partition.name, "has no encodings"))?;
                let segments = segments(partition, table, target)?;
                Ok(Box::new(runtime.open_segments(partition, &segments, &bundle.path(""), target)?))
            })
        }
    };
    // Engines are loaded by path, when they are needed: by then it may be another bundle's.
    Ok(Box::new(move |partition| {
        let loaded = load(partition)?;
        bundle.refuse_other_models()?;
        Ok(loaded)
    }))
}
