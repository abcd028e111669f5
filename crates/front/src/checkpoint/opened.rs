//! An opened checkpoint: its files, and what their headers say of tensors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::Dtype;

use super::place::{WeightsPlace, marked};
use super::{header, names};
use crate::Component;
use crate::hub::{Files, INDEX, other_kind};
use autoneural_base::error::{Error, Result};
use autoneural_base::map::Map;
use autoneural_core::ir::{Shape, StoredType, View};

/// What a header says of one tensor.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    /// File that holds it.
    pub file: PathBuf,
    /// Element type as the header writes it.
    pub dtype: String,
    /// Sizes of the axes.
    pub shape: Shape,
    pub(super) stored: Option<StoredType>,
    pub(super) start: usize,
    pub(super) source: usize,
}

/// Weights that lie in one place.
pub(super) struct Source {
    pub(super) place: WeightsPlace,
    pub(super) files: Files,
}

impl Source {
    /// The file, or the folder that the weights lie in.
    pub(super) fn shown(&self) -> std::path::Display<'_> {
        let is_file = self.files.weights.contains(&self.place.path);
        if is_file { self.place.path.display() } else { self.files.folder.display() }
    }
}

/// An opened checkpoint.
pub struct Checkpoint {
    /// What was opened, in words: the folder or the file, or all of them.
    path: PathBuf,
    /// At least one.
    pub(super) sources: Vec<Source>,
    pub(super) maps: BTreeMap<PathBuf, Arc<Map>>,
    /// Tensors by the names that they have in their files, behind the mark of the part that they were given for.
    pub(super) tensors: BTreeMap<String, TensorInfo>,
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
        Self::open_all(&[path.into()])
    }

    /// Opens the weights of a model that lie in several places, each as [`Checkpoint::open`] does.
    ///
    /// # Errors
    /// As for one; a tensor that stands in two places that were given for the same parts.
    pub fn open_all(places: &[WeightsPlace]) -> Result<Self> {
        let source = |place: &WeightsPlace| Ok(Source { files: Files::find(&place.path)?, place: place.clone() });
        let sources = places.iter().map(source).collect::<Result<Vec<_>>>()?;
        if sources.is_empty() {
            return Err(Error::input("--weights", "names no weights"));
        }
        let names: Vec<String> = places.iter().map(|place| place.path.display().to_string()).collect();
        let mut made = Checkpoint {
            path: names.join(", ").into(),
            sources,
            maps: BTreeMap::new(),
            tensors: BTreeMap::new(),
            unwrapped: BTreeMap::new(),
        };
        for source in 0..made.sources.len() {
            for file in made.sources[source].files.weights.clone() {
                made.add_file(source, &file)?;
            }
        }
        for Source { place, files } in &made.sources {
            for (tensor, file) in &files.index {
                let found = made.tensors.get(&marked(place.part, tensor));
                if found.is_none_or(|info| info.file != files.folder.join(file)) {
                    let place = files.folder.join(INDEX);
                    let message = format!("says that `{tensor}` is in {file}, which does not hold it");
                    return Err(Error::input(place.display(), message));
                }
            }
        }
        made.unwrapped = names::unwrapped(made.tensors.keys());
        Ok(made)
    }

    fn add_file(&mut self, source: usize, path: &Path) -> Result<()> {
        let map = Arc::new(Map::open(path)?);
        let Source { place, files } = &self.sources[source];
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
            if files.index.get(&name).is_some_and(|file| files.folder.join(file) != path) {
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
                source,
            };
            if let Some(other) = self.tensors.insert(marked(place.part, &name), made) {
                let message = format!("tensor `{name}` is also in {}", other.file.display());
                let help = match other.source == source {
                    true => {
                        "keep one of the two files in the folder, or give the one that is meant: --weights takes a file, too"
                    }
                    false => {
                        "leave one of them out, or say which part of the model each is for: --weights language=DIR \
                         (vision=, projector=)"
                    }
                };
                return Err(Error::input(path.display(), message).help(help));
            }
        }
        self.maps.insert(path.to_path_buf(), map);
        Ok(())
    }

    /// What was opened: a folder or a file, or the names of all of them.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The parts for which a place was given.
    pub fn given(&self) -> Vec<Component> {
        self.sources.iter().filter_map(|source| source.place.part).collect()
    }

    /// The files that hold the weights, and the part that they were given for.
    pub fn files(&self) -> impl Iterator<Item = (Option<Component>, &Path)> {
        self.sources.iter().flat_map(|source| {
            let part = source.place.part;
            source.files.weights.iter().map(move |file| (part, file.as_path()))
        })
    }

    /// Files of weights in the folders that an index does not name, and that are not read.
    pub fn unread(&self) -> impl Iterator<Item = &PathBuf> {
        let is_read = |file: &&PathBuf| self.maps.contains_key(*file);
        self.sources.iter().flat_map(|source| &source.files.unread).filter(move |file| !is_read(file))
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

    /// The stored elements of a tensor; errors say `place`.
    pub(super) fn view(&self, info: &TensorInfo, place: &str) -> Result<View> {
        let Some(stored) = info.stored else {
            return Err(Error::input(place, format!("is {}; f32, f16 or bf16 is wanted", info.dtype)));
        };
        let map = Arc::clone(&self.maps[&info.file]);
        View::new(map, info.start, info.shape.iter().product(), stored)
            .ok_or_else(|| Error::input(place, "reaches beyond the end of the file"))
    }
}

/// The error about weights that only change those of a model.
fn adapter(path: &Path, tensor: &str) -> Error {
    Error::input(path.display(), format!("holds a LoRA adapter (`{tensor}`), which is not applied to the model"))
        .help("merge it into the weights before (PEFT: merge_and_unload), or move it out of the folder")
}
