//! Which files are meant by a path: the folder of a checkpoint, one of its files, or a repository in a hub cache.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::config::Config;
use super::kinds::convertible;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::text::{self, listed};

/// Name of the index file of a sharded checkpoint.
pub(crate) const INDEX: &str = "model.safetensors.index.json";
/// Ending of files of weights.
const EXTENSION: &str = "safetensors";
/// Where a repository in a hub cache has its revisions, and which of them is meant by its main branch.
const SNAPSHOTS: &str = "snapshots";
const MAIN: &str = "refs/main";
/// Start of the names of repositories in a hub cache.
const REPOSITORY: &str = "models--";

/// The files of a checkpoint.
pub(crate) struct Files {
    /// Its folder.
    pub folder: PathBuf,
    /// The files of weights, which are looked for but not opened yet.
    pub weights: Vec<PathBuf>,
    /// Which file holds a tensor, where an index says so.
    pub index: BTreeMap<String, String>,
    /// Files of weights that the index does not name.
    pub unread: Vec<PathBuf>,
    block_size: OnceCell<Vec<usize>>,
}

impl Files {
    /// The files that are meant by a path.
    ///
    /// # Errors
    /// No file of weights is there, said with what is there instead; a hub cache in which none is meant more than
    /// another; an index that names files outside its folder.
    pub(crate) fn find(path: &Path) -> Result<Self> {
        let meta = refuse_dangling(path)?;
        if !meta.is_dir() {
            let folder = parent(path);
            return match path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().ends_with(".safetensors.index.json"))
            {
                true => Self::of_index(folder, path),
                false => Ok(Self::new(folder, vec![path.to_path_buf()])),
            };
        }
        let folder = in_cache(path)?;
        let index = folder.join(INDEX);
        if index.symlink_metadata().is_ok() {
            return Self::of_index(folder, &index);
        }
        let weights = safetensors_in(&folder)?;
        if weights.is_empty() {
            return Err(nothing_in(&folder)?);
        }
        refuse_adapters(&weights)?;
        Ok(Self::new(folder, weights))
    }

    fn new(folder: PathBuf, weights: Vec<PathBuf>) -> Self {
        Files { folder, weights, index: BTreeMap::new(), unread: vec![], block_size: OnceCell::new() }
    }

    fn of_index(folder: PathBuf, path: &Path) -> Result<Self> {
        let index = read_index(path)?;
        let named: BTreeSet<PathBuf> = index.values().map(|file| folder.join(file)).collect();
        let mut unread = safetensors_in(&folder)?;
        unread.retain(|file| !named.contains(file));
        refuse_adapters(&unread)?;
        for file in &named {
            refuse_dangling(file)?;
        }
        Ok(Files { index, unread, ..Self::new(folder, named.into_iter().collect()) })
    }

    /// Sizes of blocks that share a scale, for the last axes of a weight, where the checkpoint's configuration states
    /// them.
    pub(crate) fn block_size(&self) -> Vec<usize> {
        let read = || Config::read(&self.folder).ok().flatten().map(|config| config.block_size()).unwrap_or_default();
        self.block_size.get_or_init(read).clone()
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf()
}

/// What is at a path; a link that leads nowhere is told as such.
fn refuse_dangling(path: &Path) -> Result<std::fs::Metadata> {
    let found = std::fs::metadata(path);
    if let (Err(error), Ok(link)) = (&found, std::fs::read_link(path))
        && error.kind() == std::io::ErrorKind::NotFound
    {
        let is_cached = link.components().any(|part| part.as_os_str() == "blobs");
        let what = if is_cached { "was not downloaded" } else { "leads nowhere" };
        let message = format!("{what}: it is a link to {}, which is not there", link.display());
        return Err(Error::input(path.display(), message).help("download or copy the checkpoint again, whole"));
    }
    found.reading(path)
}

/// The folder itself, or, of a repository in a hub cache, the snapshot in use.
fn in_cache(folder: &Path) -> Result<PathBuf> {
    if folder.join(INDEX).exists() || !safetensors_in(folder)?.is_empty() {
        return Ok(folder.to_path_buf());
    }
    let snapshots = folder.join(SNAPSHOTS);
    if snapshots.is_dir() {
        // What the file says is a name, or is not believed.
        let main = text::read(&folder.join(MAIN)).ok().map(|text| text.trim().to_string());
        let main = main.filter(|name| is_name(name)).map(|name| snapshots.join(name)).filter(|path| path.is_dir());
        return match main {
            Some(main) => Ok(main),
            None => only_one(folders_in(&snapshots, "")?, folder, "snapshot"),
        };
    }
    let repositories = folders_in(folder, REPOSITORY)?;
    if repositories.is_empty() {
        return Ok(folder.to_path_buf());
    }
    in_cache(&only_one(repositories, folder, "repository")?)
}

fn only_one(mut found: Vec<PathBuf>, folder: &Path, what: &str) -> Result<PathBuf> {
    match found.len() {
        0 => Err(Error::input(folder.display(), format!("is of a hub cache and holds no {what}"))
            .help("nothing of it was downloaded")),
        1 => Ok(found.remove(0)),
        _ => {
            let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
            let message = format!("is of a hub cache and holds more than one {what}");
            Err(Error::input(folder.display(), message).help(format!("give one of them: {}", listed(&names))))
        }
    }
}

fn is_name(text: &str) -> bool {
    let mut parts = Path::new(text).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}

/// Entries of a folder whose names are not hidden, in the order of their names.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut made = Vec::new();
    for entry in std::fs::read_dir(folder).reading(folder)? {
        let entry = entry.at(folder)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Among them what macOS leaves beside a file on other file systems, under its name behind `._`.
        if !name.starts_with('.') {
            made.push((name, entry.path()));
        }
    }
    made.sort();
    Ok(made)
}

fn folders_in(folder: &Path, start: &str) -> Result<Vec<PathBuf>> {
    let found = entries(folder)?.into_iter().filter(|(name, path)| name.starts_with(start) && path.is_dir());
    Ok(found.map(|(_, path)| path).collect())
}

fn safetensors_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let found = entries(folder)?.into_iter().map(|(_, path)| path);
    found
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .map(|path| refuse_dangling(&path).map(|_| path))
        .collect()
}

/// Refuses what PEFT saves of an adapter beside a model: it would not be applied.
fn refuse_adapters(files: &[PathBuf]) -> Result<()> {
    let is_adapter =
        |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("adapter_model"));
    match files.iter().find(is_adapter) {
        Some(path) => Err(Error::input(path.display(), "is a LoRA adapter, which is not applied to the model").help(
            "merge it before (PEFT: merge_and_unload), or move it out of the folder; --weights takes a file, too",
        )),
        None => Ok(()),
    }
}

/// The error about a folder without weights, with what it holds instead.
fn nothing_in(folder: &Path) -> Result<Error> {
    let place = folder.display();
    let other = entries(folder)?.into_iter().find_map(|(name, path)| Some((convertible(&path)?, name)));
    Ok(match other {
        Some(((what, help), name)) => {
            Error::input(place, format!("holds no .safetensors file; {name} is {what}")).help(help)
        }
        None => Error::input(place, "holds no .safetensors file")
            .help("--weights takes the folder of a checkpoint in safetensors format"),
    })
}

fn read_index(path: &Path) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    refuse_dangling(path)?;
    let text = text::read(path)?;
    let index: Index = text::json(path, text.as_bytes())?;
    for (tensor, file) in &index.weight_map {
        if !is_name(file) {
            let message =
                format!("`{tensor}` points to `{file}`; only plain file names of the same folder are followed");
            return Err(Error::input(path.display(), message));
        }
    }
    Ok(index.weight_map)
}
