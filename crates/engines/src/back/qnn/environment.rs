//! Where Python environments keep their packages. Their folders tell; no Python is started.

use std::path::{Path, PathBuf};

use autoneural_base::text;
use autoneural_base::version::{PROGRAM, VERSION};

/// The packages that libraries are loaded from, as folders.
const PACKAGES: [&str; 2] = ["onnxruntime", "onnxruntime_qnn"];
/// What makes a folder a virtual environment, and says what it was made of.
const CONFIGURATION: &str = "pyvenv.cfg";
/// Largest such file that is read; they have a few lines.
const LARGEST_CONFIGURATION: u64 = 64 << 10;

/// Folders of packages around a program that is installed in a Python environment.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Those of the environment itself.
    pub own: Vec<PathBuf>,
    /// Those that its Python reads besides: the user's and the system's.
    pub besides: Vec<PathBuf>,
}

/// Where the toolkit may be for a program in `PREFIX/bin`: in its virtual environment, or among the packages of a plain
/// Python, of the user, or of the folder that `pip install --target` was given.
pub(crate) fn of_program(program: &Path) -> Places {
    let Some(prefix) = prefix(program) else { return Places::default() };
    let is_open = match base(prefix) {
        Some(Base { is_seen, .. }) => is_seen,
        // A plain Python; a program that was only copied to such a folder says nothing about packages elsewhere.
        None => is_installed(program),
    };
    Places { own: packages(prefix), besides: if is_open { besides(prefix) } else { vec![] } }
}

/// Where the toolkit may be in an environment that is active: a virtual one, or one of conda.
pub(crate) fn of_active(prefix: &Path) -> Places {
    match base(prefix) {
        Some(Base { is_seen, .. }) => {
            Places { own: packages(prefix), besides: if is_seen { besides(prefix) } else { vec![] } }
        }
        None if prefix.join("conda-meta").is_dir() => Places { own: packages(prefix), besides: vec![] },
        None => Places::default(),
    }
}

/// Whether pip, or what does the same, put this program where it is.
pub(crate) fn is_installed(program: &Path) -> bool {
    prefix(program).is_some_and(|prefix| sites(prefix).iter().any(|site| has_this_program(site)))
}

/// The folder of the environment in whose `bin` a program is.
pub(crate) fn prefix(program: &Path) -> Option<&Path> {
    program.parent().filter(|folder| folder.ends_with("bin")).and_then(Path::parent)
}

/// What a virtual environment was made of.
struct Base {
    prefix: Option<PathBuf>,
    /// Whether its packages are seen in the virtual environment.
    is_seen: bool,
}

/// Of a virtual environment; `None` where the folder is none.
fn base(prefix: &Path) -> Option<Base> {
    let configuration = text::read_at_most(&prefix.join(CONFIGURATION), LARGEST_CONFIGURATION).ok()?;
    let configuration = String::from_utf8_lossy(&configuration).into_owned();
    let value = |key: &str| {
        let lines = configuration.lines().filter_map(|line| line.split_once('='));
        lines.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| name.eq_ignore_ascii_case(key))
    };
    let home = value("home").map(|(_, home)| PathBuf::from(home)).filter(|home| home.is_absolute());
    let is_seen = value("include-system-site-packages").is_some_and(|(_, seen)| seen.eq_ignore_ascii_case("true"));
    Some(Base { prefix: home.and_then(|home| home.parent().map(Path::to_path_buf)), is_seen })
}

/// What a Python that is not shut off reads besides its own packages.
fn besides(prefix: &Path) -> Vec<PathBuf> {
    let of_user = std::env::var_os("HOME").map(|home| Path::new(&home).join(".local"));
    let of_user = of_user.filter(|folder| folder.is_absolute());
    let of_base = base(prefix).and_then(|base| base.prefix);
    // Debian's Python in /usr has the packages that pip installs in /usr/local.
    let of_system = ["/usr/local", "/usr"].map(PathBuf::from);
    let all = of_base.into_iter().chain(of_user).chain(of_system).filter(|other| other != prefix);
    all.flat_map(|other| packages(&other)).collect()
}

/// Folders of an environment that hold the toolkit, or a part of it: first those with this program beside it, then the
/// newer Python.
fn packages(prefix: &Path) -> Vec<PathBuf> {
    let mut sites = sites(prefix);
    sites.retain(|site| PACKAGES.iter().any(|name| site.join(name).is_dir()));
    sites.sort_by_key(|site| !has_this_program(site));
    sites
}

/// Folders in which an environment keeps packages, those of the newer Python first.
fn sites(prefix: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for library in ["lib", "lib64"] {
        let entries = std::fs::read_dir(prefix.join(library)).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(version) = name.strip_prefix("python3") else { continue };
            let version: u32 = version.trim_start_matches('.').parse().unwrap_or(0);
            found.extend(["site-packages", "dist-packages"].map(|folder| (version, entry.path().join(folder))));
        }
    }
    found.sort_by_key(|(version, site)| (std::cmp::Reverse(*version), site.clone()));
    // `pip install --target PREFIX` has the packages in the folder itself.
    let all = found.into_iter().map(|(_, site)| site).chain([prefix.to_path_buf()]);
    let mut sites: Vec<PathBuf> = Vec::new();
    // `lib64` is a link to `lib` in most.
    for site in all.filter_map(|site| site.canonicalize().ok()) {
        if !sites.contains(&site) {
            sites.push(site);
        }
    }
    sites
}

/// Whether pip noted this program, in this version, among the packages.
fn has_this_program(site: &Path) -> bool {
    site.join(format!("{PROGRAM}-{VERSION}.dist-info")).is_dir()
}
