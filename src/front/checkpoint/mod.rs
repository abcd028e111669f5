//! Checkpoints: a folder of safetensors files, memory-mapped. Nothing in a header is believed before it is checked.

mod buffers;
mod header;
mod names;
mod scales;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::Dtype;

use super::Tensors;
use super::hub::{Files, INDEX, other_kind};
use crate::error::{Error, Result};
use crate::ir::{Constant, Shape, StoredType, View, index_of};
use crate::map::Map;
use crate::text;

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
    files: Files,
    maps: BTreeMap<PathBuf, Arc<Map>>,
    /// Tensors by the names that they have in their files.
    tensors: BTreeMap<String, TensorInfo>,
    /// Names in the files by the names that the tensors have without what training put around the model.
    unwrapped: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens every safetensors file of a folder, or those that `model.safetensors.index.json` names, or one single
    /// file. Of a hub cache, the snapshot in use.
    ///
    /// # Errors
    /// A folder without such files, a header that is truncated or lies about the file, a tensor that stands in two
    /// files of which no index chooses one, an index that names files outside the folder or tensors that are not there.
    pub fn open(path: &Path) -> Result<Self> {
        let files = Files::find(path)?;
        let mut made = Checkpoint {
            path: path.to_path_buf(),
            files,
            maps: BTreeMap::new(),
            tensors: BTreeMap::new(),
            unwrapped: BTreeMap::new(),
        };
        for file in made.files.weights.clone() {
            made.add_file(&file)?;
        }
        for (tensor, file) in &made.files.index {
            if made.tensors.get(tensor).is_none_or(|info| info.file != made.files.folder.join(file)) {
                let place = made.files.folder.join(INDEX);
                let message = format!("says that `{tensor}` is in {file}, which does not hold it");
                return Err(Error::input(place.display(), message));
            }
        }
        made.unwrapped = names::unwrapped(made.tensors.keys());
        Ok(made)
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let map = Arc::new(Map::open(path)?);
        let entries = header::read(&map).map_err(|fault| {
            if let Some((what, help)) = other_kind(&map) {
                return Error::input(path.display(), format!("is {what}")).help(help);
            }
            let place = match fault.tensor {
                Some(tensor) => format!("{}: `{tensor}`", path.display()),
                None => path.display().to_string(),
            };
            Error::input(place, fault.message)
                .help("the file is damaged, or no safetensors file; copy or download it again")
        })?;
        if let Some(entry) = entries.iter().find(|entry| names::is_of_adapter(&entry.name)) {
            return Err(adapter(path, &entry.name));
        }
        for header::Entry { name, info, start } in entries {
            // Where two files hold a tensor, the index says which one is meant.
            if self.files.index.get(&name).is_some_and(|file| self.files.folder.join(file) != path) {
                continue;
            }
            let stored = match info.dtype {
                Dtype::F32 => Some(StoredType::F32),
                Dtype::F16 => Some(StoredType::F16),
                Dtype::BF16 => Some(StoredType::Bf16),
                Dtype::F8_E4M3 => Some(StoredType::F8E4m3),
                Dtype::F8_E5M2 => Some(StoredType::F8E5m2),
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
                return Err(Error::input(path.display(), message).help(
                    "keep one of the two files in the folder, or give the one that is meant: --weights takes a file, too",
                ));
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
        &self.files.folder
    }

    /// The files that hold the weights.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.maps.keys().map(PathBuf::as_path)
    }

    /// Files of weights in the folder that the index does not name, and that are not read.
    pub fn unread(&self) -> &[PathBuf] {
        &self.files.unread
    }

    /// All tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// A tensor by its name, or by its name without what training put around the model, and its name in the file.
    pub fn find(&self, name: &str) -> Option<(&str, &TensorInfo)> {
        let stored = if self.tensors.contains_key(name) { name } else { self.unwrapped.get(name)? };
        self.tensors.get_key_value(stored).map(|(stored, info)| (stored.as_str(), info))
    }

    /// Refuses files that changed since they were opened: what was read of them is of neither their old nor their new
    /// contents.
    pub fn refuse_changed(&self) -> Result<()> {
        self.maps.values().try_for_each(|map| map.refuse_changed())
    }

    /// A tensor of this exact shape as a constant. One of float8 is multiplied with its scales.
    ///
    /// # Errors
    /// The tensor is missing, has another shape, or is not f32, f16, bf16 or float8 with scales.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        let (stored, info) = self.info(name)?;
        let place = format!("{}: `{stored}`", info.file.display());
        if info.shape != shape {
            let message = format!("has shape {:?}, {shape:?} is wanted", info.shape);
            return Err(
                Error::input(place, message).help("check that the model definition is the one of this checkpoint")
            );
        }
        let constant = Constant::from_view(self.view(info, &place)?, shape.to_vec());
        match info.stored {
            Some(StoredType::F8E4m3 | StoredType::F8E5m2) => {
                let (block, factors) = scales::of(self, stored, info, &place)?;
                Ok(constant.scaled_in_blocks(block, factors))
            }
            _ => Ok(constant),
        }
    }

    fn info(&self, name: &str) -> Result<(&str, &TensorInfo)> {
        self.find(name).ok_or_else(|| {
            let path = self.path.display();
            match scales::quantized_otherwise(self, name) {
                Some(other) => {
                    Error::input(path, format!("tensor `{name}` is missing; `{other}` is of quantized weights"))
                        .help("weights of integers are not read: give the checkpoint that was not quantized")
                }
                None => Error::input(path, format!("tensor `{name}` is missing"))
                    .help("`autoneural inspect` lists what the checkpoint holds"),
            }
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
        let (stored, info) = self.info(name)?;
        let place = format!("{}: `{stored}`", info.file.display());
        match self.view(info, &place)?.first_non_finite() {
            Some((at, value)) => {
                let index = index_of(at, &info.shape);
                let message = format!("element {index:?} is {value}; weights must be finite");
                Err(Error::input(place, message))
            }
            None => Ok(()),
        }
    }

    /// Tensors, by their names in the files, that are neither used nor covered by a pattern, nor known to hold nothing
    /// that a model is made of.
    pub fn left_over<'a>(&'a self, used: &[String], ignore: &[String]) -> Vec<&'a str> {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for (stored, info) in used.iter().filter_map(|name| self.find(name)) {
            known.insert(stored);
            known.extend(scales::beside(self, stored, info));
        }
        let may_stay = |(name, info): &(&String, &TensorInfo)| {
            known.contains(name.as_str())
                || info.shape.contains(&0)
                || buffers::is_buffer(name, &info.shape)
                || ignore.iter().any(|pattern| text::glob(pattern, name))
        };
        self.tensors.iter().filter(|entry| !may_stay(entry)).map(|(name, _)| name.as_str()).collect()
    }

    /// Refuses tensors that are left over.
    pub fn refuse_extra(&self, used: &[String], ignore: &[String]) -> Result<()> {
        let extra = self.left_over(used, ignore);
        let Some(first) = extra.first() else { return Ok(()) };
        let file = &self.tensors[*first].file;
        let more = if extra.len() > 1 { format!(" (and {} more)", extra.len() - 1) } else { String::new() };
        let mut help =
            "if it may be left out, add a pattern for it to `ignore` under [weights] in the model definition"
                .to_string();
        let mut files: BTreeSet<&PathBuf> = BTreeSet::new();
        files.extend(used.iter().filter_map(|name| self.find(name)).map(|(_, info)| &info.file));
        if let (false, Some(model)) = (files.contains(file), files.first()) {
            help = match files.len() {
                1 => format!("the model itself is in another file: --weights {}", model.display()),
                _ => "the model itself is in other files: move this one out of the folder".into(),
            };
        }
        let place = format!("{}: `{first}`", file.display());
        Err(Error::input(place, format!("is not part of the model{more}")).help(help))
    }
}

/// The error about weights that only change those of a model.
fn adapter(path: &Path, tensor: &str) -> Error {
    Error::input(path.display(), format!("holds a LoRA adapter (`{tensor}`), which is not applied to the model"))
        .help("merge it into the weights before (PEFT: merge_and_unload), or move it out of the folder")
}

impl Tensors for Checkpoint {
    fn path(&self) -> &Path {
        self.path()
    }

    fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        self.tensor(name, shape)
    }
}
