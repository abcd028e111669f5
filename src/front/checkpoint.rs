//! Checkpoints: a folder of safetensors files, memory-mapped. Nothing in a header is believed before it is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use safetensors::Dtype;

use super::{Tensors, header};
use crate::error::{Error, IoContext, Result};
use crate::ir::{Constant, Shape, StoredType, View};
use crate::text;

/// Name of the index file of a sharded checkpoint.
const INDEX: &str = "model.safetensors.index.json";

/// What a header says of one tensor.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    /// File that holds it.
    pub file: PathBuf,
    /// Element type as the header writes it.
    pub dtype: String,
    /// Sizes of the axes.
    pub shape: Shape,
    stored: Option<StoredType>,
    start: usize,
}

/// An opened checkpoint.
pub struct Checkpoint {
    /// What was opened: the folder or the file.
    path: PathBuf,
    folder: PathBuf,
    maps: BTreeMap<PathBuf, Arc<Mmap>>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Checkpoint {
    /// Opens every safetensors file of a folder, or those that `model.safetensors.index.json` names, or one single file.
    ///
    /// # Errors
    /// A folder without such files, a header that is truncated or lies about the file, a tensor that stands twice, an
    /// index that names files outside the folder or tensors that are not there.
    pub fn open(path: &Path) -> Result<Self> {
        let meta = std::fs::metadata(path).at(path)?;
        let (folder, files, index) = if meta.is_dir() {
            let index_path = path.join(INDEX);
            let index = index_path.exists().then(|| read_index(&index_path)).transpose()?;
            let files = match &index {
                Some(index) => index.values().collect::<BTreeSet<_>>().into_iter().map(|f| path.join(f)).collect(),
                None => safetensors_in(path)?,
            };
            (path.to_path_buf(), files, index)
        } else {
            let folder = path.parent().unwrap_or(Path::new(".")).to_path_buf();
            (folder, vec![path.to_path_buf()], None)
        };
        let mut made = Checkpoint { path: path.to_path_buf(), folder, maps: BTreeMap::new(), tensors: BTreeMap::new() };
        for file in files {
            made.add_file(&file)?;
        }
        for (tensor, file) in index.iter().flatten() {
            let wanted = made.folder.join(file);
            if made.tensors.get(tensor).is_none_or(|info| info.file != wanted) {
                let place = made.folder.join(INDEX);
                let message = format!("says that `{tensor}` is in {file}, which does not hold it");
                return Err(Error::input(place.display(), message));
            }
        }
        Ok(made)
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let file = File::open(path).at(path)?;
        // SAFETY: the map is read-only; a file that another process truncates meanwhile is outside what we can guard.
        let map = Arc::new(unsafe { Mmap::map(&file) }.at(path)?);
        let entries = header::read(&map).map_err(|fault| {
            let place = match fault.tensor {
                Some(tensor) => format!("{}: `{tensor}`", path.display()),
                None => path.display().to_string(),
            };
            Error::input(place, fault.message)
                .help("the file is damaged, or no safetensors file; copy or download it again")
        })?;
        for header::Entry { name, info, start } in entries {
            let stored = match info.dtype {
                Dtype::F32 => Some(StoredType::F32),
                Dtype::F16 => Some(StoredType::F16),
                Dtype::BF16 => Some(StoredType::Bf16),
                _ => None,
            };
            let made = TensorInfo {
                file: path.to_path_buf(),
                dtype: format!("{:?}", info.dtype).to_lowercase(),
                shape: info.shape,
                stored,
                start,
            };
            if let Some(other) = self.tensors.insert(name.clone(), made) {
                let message = format!("tensor `{name}` is also in {}", other.file.display());
                return Err(Error::input(path.display(), message).help("keep one of the two files in the folder"));
            }
        }
        self.maps.insert(path.to_path_buf(), map);
        Ok(())
    }

    /// What was opened: a folder or a file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the checkpoint.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// A tensor of this exact shape as a constant.
    ///
    /// # Errors
    /// The tensor is missing, has another shape, or is not f32, f16 or bf16.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        let info = self.info(name)?;
        let place = format!("{}: `{name}`", info.file.display());
        if info.shape != shape {
            let message = format!("has shape {:?}, {shape:?} is wanted", info.shape);
            return Err(
                Error::input(place, message).help("check that the model definition is the one of this checkpoint")
            );
        }
        let view = self.view(info, &place)?;
        Ok(Constant::from_view(view, shape.to_vec()))
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.tensors.get(name).ok_or_else(|| {
            Error::input(self.path.display(), format!("tensor `{name}` is missing"))
                .help("`autoneural inspect` lists what the checkpoint holds")
        })
    }

    fn view(&self, info: &TensorInfo, place: &str) -> Result<View> {
        let Some(stored) = info.stored else {
            return Err(Error::input(place, format!("is {}; f32, f16 or bf16 is wanted", info.dtype)));
        };
        let map = Arc::clone(&self.maps[&info.file]);
        View::new(map, info.start, info.shape.iter().product(), stored)
            .ok_or_else(|| Error::input(place, "reaches beyond the end of the file"))
    }

    /// Refuses a tensor that holds NaN or infinity.
    pub fn refuse_non_finite(&self, name: &str) -> Result<()> {
        let info = self.info(name)?;
        let place = format!("{}: `{name}`", info.file.display());
        match self.view(info, &place)?.first_non_finite() {
            Some((at, value)) => {
                let mut rest = at;
                let mut index = vec![0; info.shape.len()];
                for (slot, &size) in index.iter_mut().zip(&info.shape).rev() {
                    *slot = rest % size;
                    rest /= size;
                }
                let message = format!("element {index:?} is {value}; weights must be finite");
                Err(Error::input(place, message))
            }
            None => Ok(()),
        }
    }

    /// Refuses tensors that are neither used nor covered by a pattern.
    pub fn refuse_extra(&self, used: &[String], ignore: &[String]) -> Result<()> {
        let used: BTreeSet<&str> = used.iter().map(String::as_str).collect();
        let extra: Vec<&str> = self
            .tensors
            .keys()
            .map(String::as_str)
            .filter(|name| !used.contains(name) && !ignore.iter().any(|pattern| text::glob(pattern, name)))
            .collect();
        let Some(first) = extra.first() else { return Ok(()) };
        let file = self.tensors[*first].file.display();
        let more = if extra.len() > 1 { format!(" (and {} more)", extra.len() - 1) } else { String::new() };
        Err(Error::input(format!("{file}: `{first}`"), format!("is not part of the model{more}"))
            .help("if it may be left out, add a pattern for it to `ignore` under [weights] in the model definition"))
    }
}

impl Tensors for Checkpoint {
    fn path(&self) -> &Path {
        self.path()
    }

    fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        self.tensor(name, shape)
    }
}

fn safetensors_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::input(folder.display(), "holds no .safetensors file")
            .help("--weights takes the folder of a checkpoint in safetensors format"));
    }
    Ok(files)
}

fn read_index(path: &Path) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = text::json(path, text::read(path)?.as_bytes())?;
    for (tensor, file) in &index.weight_map {
        let mut parts = Path::new(file).components();
        let plain = matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None));
        if !plain {
            let message =
                format!("`{tensor}` points to `{file}`; only plain file names of the same folder are followed");
            return Err(Error::input(path.display(), message));
        }
    }
    Ok(index.weight_map)
}
