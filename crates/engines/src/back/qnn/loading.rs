//! Loading the vendor's libraries, and what it means that one does not load.

use std::path::Path;

use ort::environment::Environment;

use super::{ONNXRUNTIME, Toolkit, quiet};
use autoneural_base::contain;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::limits;

/// Bytes of address space that loading the libraries takes.
const ADDRESS_SPACE: u64 = 256 << 20;

/// Name under which the plugin provider registers.
pub(crate) const PROVIDER: &str = "QNNExecutionProvider";

/// The libraries that are loaded.
pub(crate) struct Loaded {
    pub environment: Environment,
    /// Path of the offline compiler and emulator, if the provider is there.
    pub backend: Option<String>,
}

/// Loads ONNX Runtime, and the provider if the toolkit has it, into a process from which nothing is sent.
///
/// # Errors
/// The environment is not quiet, the toolkit has no ONNX Runtime or an older one, a library does not load.
pub(crate) fn load(toolkit: &Toolkit) -> Result<Loaded> {
    let Some(library) = &toolkit.runtime else {
        return Err(Error::toolkit("toolkit", "ONNX Runtime is missing").help(toolkit.remedy()));
    };
    quiet()?;
    limits::refuse_scant_address_space(ADDRESS_SPACE)?;
    // The engine takes the path of its backend as text.
    let backend = toolkit.provider.as_ref().and(toolkit.backend.as_ref());
    let text = |path: &Path| {
        let text = path.to_str().map(String::from);
        text.ok_or_else(|| {
            Error::toolkit(path.display(), "the vendor's libraries take only paths that are UTF-8")
                .help("install the toolkit into a folder with another name")
        })
    };
    let backend = backend.map(|path| text(path)).transpose()?;
    for library in toolkit.libraries() {
        if super::elf::is_truncated(&library).at(&library)? {
            return Err(not_loaded(&library, "the file is cut off").help(toolkit.remedy()));
        }
    }
    let environment = contained(library, || ort::init_from(library).map_err(|error| refused(library, &error)))??;
    let environment = environment.with_name("autoneural").with_telemetry(false);
    let environment =
        contained(library, || environment.build())?.map_err(|error| not_loaded(library, &error.to_string()))?;
    environment.set_log_level(ort::logging::LogLevel::Fatal);
    if let (Some(provider), Some(_)) = (&toolkit.provider, &backend) {
        let registered = contained(provider, || environment.register_ep_library(PROVIDER, provider))?;
        registered.map_err(|error| not_loaded(provider, &error.to_string()))?;
    }
    Ok(Loaded { environment, backend })
}

/// Turns a panic into an error: the interface to ONNX Runtime panics if a library is not what its name says.
fn contained<T>(library: &Path, work: impl FnOnce() -> T) -> Result<T> {
    contain::contain(work).map_err(|panic| not_loaded(library, &panic))
}

fn refused(library: &Path, error: &ort::LoadDynamicError) -> Error {
    match error {
        ort::LoadDynamicError::BadVersion { version_str, .. } => Error::toolkit(
            library.display(),
            format!(
                "is ONNX Runtime {version_str}; at least 1.{} is needed, {ONNXRUNTIME} is tested",
                ort::MINOR_VERSION
            ),
        )
        .help(Toolkit::how_to_get()),
        ort::LoadDynamicError::MissingApi { .. } | ort::LoadDynamicError::InvalidVersionString => {
            not_loaded(library, "it is not ONNX Runtime").help(Toolkit::how_to_get())
        }
        ort::LoadDynamicError::Dlopen { error, .. } => not_loaded(library, &with_sources(error)),
    }
}

/// What an error says, and those behind it, where the reason is.
fn with_sources(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(|cause| cause.to_string()).collect::<Vec<_>>().join(": ")
}

/// The error of a library that does not load, with what may help by what the system says of it.
fn not_loaded(library: &Path, said: &str) -> Error {
    let error = Error::toolkit(library.display(), format!("does not load: {said}"));
    let help = match said {
        _ if said.contains("GLIBC") => {
            "the toolkit needs x86-64 Linux with glibc 2.35 or newer; `autoneural doctor` says more".into()
        }
        _ if said.contains("cannot open shared object file") => {
            "install the library that is named with the system's packages (say libatomic1)".into()
        }
        _ => Toolkit::how_to_get(),
    };
    limits::explained(error.help(help))
}
