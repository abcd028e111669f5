//! Finding the toolkit on this machine, without loading it.

use std::path::{Path, PathBuf};

use super::environment;
use super::trust::Trust;
use autoneural_base::error::{IoContext, Result};

/// The version of ONNX Runtime this program is tested with.
pub const ONNXRUNTIME: &str = "1.31.1";
/// The version of the QNN provider this program is tested with.
pub const ONNXRUNTIME_QNN: &str = "2.7.0";

/// Environment variable that names the toolkit's folder.
const VARIABLE: &str = "AUTONEURAL_TOOLKIT";
/// Environment variables that name the environment that is active: a virtual one, or one of conda.
const ACTIVE: [&str; 2] = ["VIRTUAL_ENV", "CONDA_PREFIX"];
/// Where `make toolkit` puts it, below the project's folder.
const USUAL: &str = ".vendor/toolkit";
/// Folders of the toolkit that libraries are loaded from, or found in by those that are.
const PARTS: [&str; 3] = ["onnxruntime/capi", "onnxruntime_qnn", "onnxruntime_qnn.libs"];

/// Where the parts of the toolkit are.
#[derive(Debug, Clone, Default)]
pub struct Toolkit {
    /// The folder that was looked at.
    pub folder: Option<PathBuf>,
    /// How it was found, in words.
    pub found: &'static str,
    /// Folders that would have been taken if others could not write to them, each with the reason.
    pub refused: Vec<(PathBuf, String)>,
    /// ONNX Runtime's library.
    pub runtime: Option<PathBuf>,
    /// Version of ONNX Runtime, from the package's metadata.
    pub runtime_version: Option<String>,
    /// The QNN plugin provider.
    pub provider: Option<PathBuf>,
    /// Offline compiler and emulator.
    pub backend: Option<PathBuf>,
    /// Version of the QNN package, from its metadata.
    pub provider_version: Option<String>,
}

/// A package's version, or that it has none that can be read.
pub fn version_text(version: &Option<String>) -> &str {
    version.as_deref().unwrap_or("of an unknown version")
}

impl Toolkit {
    /// Looks in `given`, else where `AUTONEURAL_TOOLKIT` says, else in the program's own environment (`.vendor/toolkit`
    /// of its folder or of one above it, the packages of the Python environment that it is installed in), else in the
    /// virtual environment that is active, else in `.vendor/toolkit` of this folder and of those above it. A folder of
    /// Python packages (`site-packages`) will do. The first that is whole is taken, else the first that has a part.
    ///
    /// What was not named is taken only where it belongs to the user or the system and nobody else may write to it; the
    /// program's own environment may also belong to those who can replace the program. The others are in `refused`.
    pub fn find(given: Option<&Path>) -> Self {
        if let Some(folder) = given {
            return Toolkit { found: "named by --toolkit", ..Self::in_folder(folder) };
        }
        let mut refused = Vec::new();
        let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(folder) = named {
            const FOUND: &str = "named by AUTONEURAL_TOOLKIT";
            // A relative path means another folder in every folder.
            return match folder.is_absolute() {
                true => Toolkit { found: FOUND, ..Self::in_folder(&folder) },
                false => Self::trusted(&folder, FOUND, &Trust::of_user(), &mut refused)
                    .unwrap_or(Toolkit { refused, ..Self::default() }),
            };
        }
        // A Python environment may have ONNX Runtime for other ends, without the NPU's part.
        let mut part = None;
        for Place { folder, found, trust } in places() {
            let Some(found) = Self::trusted(&folder, found, &trust, &mut refused) else { continue };
            if found.missing().is_none() {
                return Toolkit { refused, ..found };
            }
            part = part.or(Some(found));
        }
        Toolkit { refused, ..part.unwrap_or_default() }
    }

    /// The toolkit in a folder that was not named, if it is one that may be trusted. Links on the way are resolved
    /// once: what is looked at is what is loaded.
    fn trusted(
        folder: &Path,
        found: &'static str,
        trust: &Trust,
        refused: &mut Vec<(PathBuf, String)>,
    ) -> Option<Self> {
        let folder = folder.canonicalize().ok().filter(|folder| folder.is_dir())?;
        match trust.refusal(&folder, &PARTS.map(|part| folder.join(part))) {
            None => Some(Toolkit { found, ..Self::in_folder(&folder) }),
            Some(reason) => {
                if refused.iter().all(|(known, _)| *known != folder) {
                    refused.push((folder, reason));
                }
                None
            }
        }
    }

    fn in_folder(folder: &Path) -> Self {
        // ONNX Runtime takes a relative path for one beside its own library.
        let absolute = std::path::absolute(folder);
        let folder = absolute.as_deref().unwrap_or(folder);
        let qnn = folder.join("onnxruntime_qnn");
        let existing = |path: PathBuf| path.is_file().then_some(path);
        Toolkit {
            folder: Some(folder.to_path_buf()),
            runtime: library_starting_with(&folder.join("onnxruntime/capi"), "libonnxruntime.so."),
            runtime_version: version_of(folder, "onnxruntime-"),
            provider: existing(qnn.join("libonnxruntime_providers_qnn.so")),
            backend: existing(qnn.join("libQnnHtp.so")),
            provider_version: version_of(folder, "onnxruntime_qnn-"),
            ..Toolkit::default()
        }
    }

    /// Every library that loading the toolkit may touch.
    pub fn libraries(&self) -> Vec<PathBuf> {
        let beside = self.backend.as_deref().and_then(Path::parent);
        let entries = beside.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let libraries = paths.filter(|path| path.extension().is_some_and(|extension| extension == "so"));
        self.runtime.iter().cloned().chain(libraries).collect()
    }

    /// Versions, and names, sizes and times of the libraries, so that a toolkit which is installed again counts as
    /// another one. Their contents would take a second to read, each time a bundle is begun.
    ///
    /// # Errors
    /// A library whose size cannot be asked for.
    pub fn identity(&self) -> Result<String> {
        let mut parts = vec![format!("{:?} {:?}", self.runtime_version, self.provider_version)];
        let mut libraries = self.libraries();
        libraries.sort();
        for library in libraries {
            let meta = std::fs::metadata(&library).at(&library)?;
            let name = library.file_name().unwrap_or_default();
            parts.push(format!("{name:?} {} {:?}", meta.len(), meta.modified().at(&library)?));
        }
        Ok(parts.join("\n"))
    }

    /// Whether models can be run on the CPU.
    pub fn can_simulate(&self) -> bool {
        self.runtime.is_some()
    }

    /// Packages of other versions than those that this program is tested with, with both.
    pub fn untested(&self) -> Vec<String> {
        let packages = [
            ("onnxruntime", &self.runtime, &self.runtime_version, ONNXRUNTIME),
            ("onnxruntime-qnn", &self.provider, &self.provider_version, ONNXRUNTIME_QNN),
        ];
        let other =
            packages.iter().filter(|(_, file, version, tested)| file.is_some() && version.as_deref() != Some(tested));
        other
            .map(|(name, _, version, tested)| format!("{name} {} (tested with {tested})", version_text(version)))
            .collect()
    }

    /// What is missing and how to get it; `None` when all is there.
    pub fn missing(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.runtime.is_none() {
            parts.push(format!("onnxruntime {ONNXRUNTIME}"));
        }
        if self.provider.is_none() || self.backend.is_none() {
            parts.push(format!("onnxruntime-qnn {ONNXRUNTIME_QNN}"));
        }
        (!parts.is_empty()).then(|| parts.join(" and "))
    }

    /// Why folders were not taken, in a line each, and what to do.
    pub fn refusals(&self) -> Vec<String> {
        let line = |(folder, reason): &(PathBuf, String)| {
            format!(
                "{} is not taken: {reason}; --toolkit {} takes it all the same",
                folder.display(),
                shlex::try_quote(&folder.to_string_lossy()).unwrap_or_default()
            )
        };
        self.refused.iter().map(line).collect()
    }

    /// How to get what is missing here, and why what was found was not taken.
    pub fn remedy(&self) -> String {
        let parts: Vec<String> = std::iter::once(Self::how_to_get()).chain(self.refusals()).collect();
        parts.join("; ")
    }

    /// How to get what is missing: with pip where this program was installed so, else from its checkout.
    pub fn how_to_get() -> String {
        let other = format!("--toolkit or {VARIABLE} names another folder that holds it");
        let program = std::env::current_exe().ok().filter(|program| environment::is_installed(program));
        match program.as_deref().and_then(environment::prefix) {
            Some(prefix) => format!(
                "`pip install onnxruntime=={ONNXRUNTIME} onnxruntime-qnn=={ONNXRUNTIME_QNN}` in the Python environment \
                 of this program, {}, installs it; {other}",
                prefix.display()
            ),
            None => format!("`make toolkit` installs it into {USUAL}; {other}"),
        }
    }
}

/// A folder that may hold the toolkit.
struct Place {
    folder: PathBuf,
    /// How it comes into question, in words.
    found: &'static str,
    trust: Trust,
}

/// Where to look where nothing was named, in this order.
fn places() -> Vec<Place> {
    let program = std::env::current_exe().ok();
    let trust = program.as_deref().map_or_else(Trust::of_user, Trust::of_program);
    let elsewhere = trust.clone().without_owners();
    let mut places = Vec::new();
    let mut add = |folder: PathBuf, found: &'static str, trust: &Trust| {
        places.push(Place { folder, found, trust: trust.clone() });
    };
    const OWN: &str = "the program's own environment";
    const BESIDES: &str = "Python packages of the user or the system";
    if let Some(program) = &program {
        program.ancestors().skip(1).for_each(|folder| add(folder.join(USUAL), OWN, &trust));
        let around = environment::of_program(program);
        around.own.into_iter().for_each(|folder| add(folder, OWN, &trust));
        around.besides.into_iter().for_each(|folder| add(folder, BESIDES, &elsewhere));
    }
    // A relative path means another folder in every folder.
    let active = ACTIVE.iter().filter_map(std::env::var_os).map(PathBuf::from).filter(|folder| folder.is_absolute());
    for prefix in active {
        let around = environment::of_active(&prefix);
        around.own.into_iter().for_each(|folder| add(folder, "the active virtual environment", &elsewhere));
        around.besides.into_iter().for_each(|folder| add(folder, BESIDES, &elsewhere));
    }
    if let Ok(here) = std::env::current_dir() {
        here.ancestors().for_each(|folder| add(folder.join(USUAL), "found above this folder", &elsewhere));
    }
    places
}

fn library_starting_with(folder: &Path, start: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)))
        .collect();
    found.sort();
    found.pop()
}

fn version_of(folder: &Path, start: &str) -> Option<String> {
    std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()).find_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        Some(name.strip_prefix(start)?.strip_suffix(".dist-info")?.to_string())
    })
}
