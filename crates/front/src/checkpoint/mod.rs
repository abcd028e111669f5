//! Checkpoints: safetensors files of one folder or several, memory-mapped. Nothing in a header is believed before it is
//! checked.

mod beside;
mod buffers;
mod elsewhere;
mod header;
mod names;
mod place;
mod scales;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::Dtype;

pub use beside::Beside;
pub use elsewhere::SetAside;
pub use place::{WeightsPlace, marked, unmarked};

use super::hub::{Files, INDEX, other_kind};
use super::{Tensors, WeightNames};
use crate::Component;
use autoneural_base::error::{Error, Result};
use autoneural_base::map::Map;
use autoneural_base::text;
use autoneural_core::ir::{Constant, Shape, StoredType, View, index_of};

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
    source: usize,
}

/// Weights that lie in one place.
struct Source {
    place: WeightsPlace,
    files: Files,
}

impl Source {
    /// The file, or the folder that the weights lie in.
    fn shown(&self) -> std::path::Display<'_> {
        let is_file = self.files.weights.contains(&self.place.path);
        if is_file { self.place.path.display() } else { self.files.folder.display() }
    }
}

/// An opened checkpoint.
pub struct Checkpoint {
    /// What was opened, in words: the folder or the file, or all of them.
    path: PathBuf,
    /// At least one.
    sources: Vec<Source>,
    maps: BTreeMap<PathBuf, Arc<Map>>,
    /// Tensors by the names that they have in their files, behind the mark of the part that they were given for.
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

    /// A tensor of this exact shape as a constant. One of float8 is multiplied with its scales.
    ///
    /// # Errors
    /// The tensor is missing, has another shape, or is not f32, f16, bf16 or float8 with scales.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        let (stored, info) = self.info(name)?;
        let place = format!("{}: `{}`", info.file.display(), unmarked(stored));
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
            let (other, name) = (scales::quantized_otherwise(self, name), unmarked(name));
            match other {
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
        let place = format!("{}: `{}`", info.file.display(), unmarked(stored));
        match self.view(info, &place)?.first_non_finite() {
            Some((at, value)) => {
                let index = index_of(at, &info.shape);
                let message = format!("element {index:?} is {value}; weights must be finite");
                Err(Error::input(place, message))
            }
            None => Ok(()),
        }
    }

    /// Tensors, by their names, that are neither used nor covered by a pattern, nor known to hold nothing that a model
    /// is made of, nor of a part for which another place was given.
    pub fn left_over<'a>(&'a self, used: &[String], names: &WeightNames) -> Vec<&'a str> {
        let known = self.known(used);
        let may_stay = |(name, info): &(&String, &TensorInfo)| {
            let bare = unmarked(name);
            known.contains(name.as_str())
                || info.shape.contains(&0)
                || buffers::is_buffer(bare, &info.shape)
                || names.ignore.iter().any(|pattern| text::glob(pattern, bare))
                || elsewhere::elsewhere(self, name, &known, names).is_some_and(|found| found.is_decided)
        };
        self.tensors.iter().filter(|entry| !may_stay(entry)).map(|(name, _)| name.as_str()).collect()
    }

    /// Tensors that are used, by their names in the files, with the scales beside them.
    fn known(&self, used: &[String]) -> BTreeSet<&str> {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for (stored, info) in used.iter().filter_map(|name| self.find(name)) {
            known.insert(stored);
            known.extend(scales::beside(self, stored, info));
        }
        known
    }

    /// Tensors of parts for which another place was given.
    pub fn set_aside(&self, used: &[String], names: &WeightNames) -> Vec<SetAside> {
        elsewhere::set_aside(self, &self.known(used), names)
    }

    /// Refuses tensors that are left over.
    pub fn refuse_extra(&self, used: &[String], names: &WeightNames) -> Result<()> {
        let extra = self.left_over(used, names);
        let Some(first) = extra.first() else { return Ok(()) };
        let file = &self.tensors[*first].file;
        let place = format!("{}: `{}`", file.display(), unmarked(first));
        let more = if extra.len() > 1 { format!(" (and {} more)", extra.len() - 1) } else { String::new() };
        if let Some(found) = elsewhere::elsewhere(self, first, &self.known(used), names) {
            let (part, taken) = found.told(self);
            let message = format!("is of the {part} part, which {taken} holds, too, under other names{more}");
            let help = format!("say which of the two is meant: --weights {part}=DIR");
            return Err(Error::input(place, message).help(help));
        }
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
