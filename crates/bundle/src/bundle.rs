//! A bundle to read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::de::DeserializeOwned;

use super::file_record::{FileRecord, is_of_model, models};
use super::hash::{digest, hash_of};
use super::key::Key;
use super::manifest::Manifest;
use super::paths::{DEFINITION, EQUALIZED, EVALUATION, MANIFEST, STATISTICS};
use super::{partition_json, place};
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::Folder;
use autoneural_base::folder::remove;
use autoneural_base::json::LARGEST_JSON;
use autoneural_base::map::Map;
use autoneural_base::progress::{Progress, Silent};
use autoneural_core::encoding::Encoding;
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, Program};
use autoneural_core::quantize::{Aliases, Table};
use autoneural_core::segment::{Segment, segments};
use autoneural_core::target::Target;
use autoneural_engines::back::encodings;
use autoneural_engines::back::onnx::DataWriter;
use autoneural_front::Definition;
use autoneural_host::{BESIDE_TOKENIZER, CHAT_TEMPLATE, HostFacts, TOKENIZER};

/// A bundle on disk, to read: a complete one, or the finished part of one in the making.
pub struct Bundle {
    pub(crate) folder: Folder,
    /// The manifest.
    pub manifest: Manifest,
    files: RwLock<Files>,
}

/// Files by their paths.
pub(crate) type Files = BTreeMap<String, FileRecord>;

impl Bundle {
    /// Checks that the files that are `needed`, by their paths, are the ones that were written, by their SHA-256.
    ///
    /// # Errors
    /// A file that is not the one that was written.
    pub fn check(&self, needed: &dyn Fn(&str) -> bool, progress: &dyn Progress) -> Result<()> {
        let files: Vec<&FileRecord> = self.manifest.files.iter().filter(|file| needed(&file.path)).collect();
        progress.start("check files", files.len() as u64);
        for file in files {
            progress.begin(&file.path);
            let on_disk = self.path(&file.path);
            if hash_of(&self.folder.file(&file.path)?, &on_disk)? != file.sha256 {
                return Err(damaged(&on_disk));
            }
            progress.tick(&file.path);
        }
        progress.finish();
        Ok(())
    }

    /// Restores the bundle at `path` if a run was killed while it replaced it. Does nothing while another run works on
    /// it.
    pub fn tidy(path: &Path) {
        if let Ok(place) = autoneural_base::folder::place(path) {
            place::tidy(&place);
        }
    }

    /// Opens a complete bundle to read it. Its files are not checked; [`Bundle::check`] does that.
    ///
    /// # Errors
    /// No such folder, no manifest in it, one of another schema, a file that is missing, is a link or no regular file,
    /// or has another size than the manifest says.
    pub fn look(path: &Path) -> Result<Self> {
        Self::tidy(path);
        Self::look_at(path)
    }

    pub(crate) fn look_at(path: &Path) -> Result<Self> {
        let help = "`autoneural compile` makes a bundle";
        let found = std::fs::metadata(path).reading(path).map_err(|error| {
            let message = format!("is no bundle: {}", error.message);
            Error { message, ..error }.help(help)
        })?;
        if !found.is_dir() {
            return Err(Error::input(path.display(), "is no bundle: it is a file, and a bundle is a folder").help(help));
        }
        let folder = Folder::open(path).ok().filter(|folder| folder.has(MANIFEST));
        let Some(folder) = folder else {
            return Err(Error::input(path.display(), "is no bundle (it has no manifest.json)")
                .help("`autoneural compile` or `autoneural export` makes one"));
        };
        let manifest = Manifest::read(&folder)?;
        for file in &manifest.files {
            let on_disk = path.join(&file.path);
            let damaged = |message: String| {
                Err(Error::input(on_disk.display(), message).help("the bundle is damaged; make it again"))
            };
            match folder.file(&file.path).and_then(|open| open.metadata().at(&on_disk)) {
                Ok(meta) if meta.len() == file.bytes => {}
                Ok(meta) => {
                    return damaged(format!("has {} bytes, the manifest says {}", meta.len(), file.bytes));
                }
                Err(_) if on_disk.symlink_metadata().is_err() => {
                    return damaged("is missing, the manifest lists it".to_string());
                }
                Err(error) => return Err(error),
            }
        }
        let files = manifest.files.iter().map(|file| (file.path.clone(), file.clone())).collect();
        Ok(Bundle::of(folder, manifest, files))
    }

    /// Refuses to go on if another bundle has replaced this one since it was opened: what was read may be a mix of
    /// both.
    ///
    /// # Errors
    /// Another bundle, or none, has this name now.
    pub fn refuse_replaced(&self) -> Result<()> {
        let now = Folder::open(self.root()).and_then(|now| Ok((now.identity()?, Manifest::read(&now)?)));
        match now {
            Ok((identity, now)) if identity == self.folder.identity()? && now.is(&self.manifest) => Ok(()),
            _ => {
                Err(Error::input(self.root().display(), "was replaced while it was read").help("run the command again"))
            }
        }
    }

    /// As [`Bundle::refuse_replaced`], but a bundle of the same models is as good: an evaluation puts its report beside
    /// them.
    ///
    /// # Errors
    /// A bundle of other models, or none, has this name now.
    pub fn refuse_other_models(&self) -> Result<()> {
        self.refuse_replaced().or_else(|error| match Bundle::look(self.root()) {
            Ok(now) if now.manifest.has_models_of(&self.manifest) => now.check(&is_of_model, &Silent),
            _ => Err(error),
        })
    }

    pub(crate) fn of(folder: Folder, manifest: Manifest, files: Files) -> Self {
        Bundle { folder, manifest, files: RwLock::new(files) }
    }

    /// Its folder.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The files that there are, hidden ones of a bundle in the making too. A thread that panicked while it held the
    /// lock cannot have left the map half changed.
    pub(crate) fn files(&self) -> RwLockReadGuard<'_, Files> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to change them.
    pub(crate) fn files_mut(&self) -> RwLockWriteGuard<'_, Files> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds files of this bundle to a key, by path: those whose path `is_read`.
    ///
    /// # Errors
    /// The files of the bundle cannot be read.
    pub fn key(&self, key: Key, is_read: impl Fn(&str) -> bool) -> Result<Key> {
        let all = self.files();
        let files = all.values().filter(|file| is_read(&file.path));
        Ok(files.fold(key, |key, file| key.and(&file.path, &file.sha256)))
    }

    /// Whether the bundle has a file; a file that an earlier run left in a bundle in the making does not count.
    pub fn has_file(&self, path: &str) -> bool {
        self.files().contains_key(path)
    }

    /// Whether the bundle has a file that `is_meant`, by its path.
    pub fn has_files(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        self.files().keys().any(|path| is_meant(path))
    }

    /// Reads a file of the bundle of at most `most` bytes, without following links.
    ///
    /// # Errors
    /// A missing or larger file, or what is no regular file.
    pub fn read(&self, relative: &str, most: u64) -> Result<Vec<u8>> {
        self.folder.read(relative, most)
    }

    /// A text file of the bundle.
    ///
    /// # Errors
    /// As for [`Bundle::read`], and bytes that are no UTF-8.
    pub fn text(&self, relative: &str) -> Result<String> {
        autoneural_base::text::utf8(&self.path(relative), self.read(relative, autoneural_base::text::LARGEST)?)
    }

    /// The value of a JSON file of the bundle.
    ///
    /// # Errors
    /// As for [`Bundle::read`], and another content; with the line.
    pub fn json<T: DeserializeOwned>(&self, relative: &str) -> Result<T> {
        autoneural_base::text::json(&self.path(relative), &self.read(relative, LARGEST_JSON)?)
    }

    /// Maps a file of the bundle into memory, without following links.
    ///
    /// # Errors
    /// A missing file, or what is no regular file.
    pub fn map(&self, relative: &str) -> Result<Map> {
        Map::of(self.folder.file(relative)?, &self.path(relative))
    }

    /// Path of a file in the bundle.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root().join(relative)
    }

    /// The model definition, completed with what the files beside the checkpoint state.
    ///
    /// # Errors
    /// Its file is missing, unreadable or malformed.
    pub fn definition(&self) -> Result<Definition> {
        let mut made = Definition::parse(&self.text(DEFINITION)?, &self.path(DEFINITION))?;
        let facts = format!("model/{}", HostFacts::FILE);
        if self.has_file(&facts) {
            made.language.tokens.ends = self.json::<HostFacts>(&facts)?.ends;
        }
        Ok(made)
    }

    /// The target.
    ///
    /// # Errors
    /// Its file is missing, unreadable or malformed.
    pub fn target(&self) -> Result<Target> {
        let name = "model/target.toml";
        Target::parse(&self.text(name)?, &self.path(name))
    }

    /// Folder with the files that a host needs for the float models: tokenizer and embeddings.
    ///
    /// # Errors
    /// A file that the host would read there and that is none of the bundle's, so that nobody knows its hash.
    pub fn host_folder(&self) -> Result<PathBuf> {
        let read = BESIDE_TOKENIZER.into_iter().chain([TOKENIZER, CHAT_TEMPLATE, HostFacts::FILE]);
        for path in read.map(|name| format!("model/{name}")) {
            if self.folder.has(&path) && !self.has_file(&path) {
                return Err(Error::input(self.path(path).display(), "is not in the bundle's manifest")
                    .help("remove it, or make the bundle again from a checkpoint that has it"));
            }
        }
        Ok(self.path("model"))
    }

    /// Hidden folder in which an evaluation keeps what it has computed with these models. What it kept of other models
    /// that were here before is removed.
    ///
    /// # Errors
    /// A link in its place; the operating system refuses.
    pub fn evaluation_folder(&self) -> Result<Folder> {
        let (kept, key) = (self.folder.folder(EVALUATION)?, self.models_key());
        if !kept.has(&key) {
            remove(kept.path())?;
        }
        self.folder.folder(Path::new(EVALUATION).join(key))
    }

    /// What tells its models from others.
    pub fn models_key(&self) -> String {
        let models = models(self.manifest.files.iter());
        digest(models.flat_map(|(path, sha256)| [path, sha256]))[..16].to_string()
    }

    /// Whether an evaluation left answers here, of these models or of others.
    pub fn has_answers(&self) -> bool {
        self.path(EVALUATION).is_dir()
    }

    /// Path of a partition's float model.
    pub fn float_model(&self, partition: &Partition) -> PathBuf {
        self.path(format!("{}{}.onnx", self.folder_of(&partition.group), partition.name))
    }

    /// Start of the paths of a group's graphs and float models: what export made, or what was made of it with evidence.
    pub fn folder_of(&self, group: &Group) -> &'static str {
        if self.has_file(&format!("{EQUALIZED}{}", DataWriter::name_of(group))) { EQUALIZED } else { "model/" }
    }

    /// Path of a partition's quantized model.
    pub fn quantized_model(&self, partition: &Partition) -> PathBuf {
        self.path(format!("qdq/{}.onnx", partition.name))
    }

    /// How a partition is carried out, by its encodings and the target.
    ///
    /// # Errors
    /// As for [`Bundle::tables`] and [`segments`].
    pub fn segments(&self, partition: &Partition) -> Result<Vec<Segment>> {
        let tables = self.tables(std::slice::from_ref(partition))?;
        segments(partition, &tables[0], &self.target()?)
    }

    /// All partitions, their constants mapped from the float models' data.
    ///
    /// # Errors
    /// A graph that is damaged, or not that of the bundle's model definition.
    pub fn partitions(&self) -> Result<Vec<Partition>> {
        let (program, definition) = (self.program()?, self.has_definition().then(|| self.definition()).transpose()?);
        let mut maps = partition_json::Maps::default();
        let of = (&program, definition.as_ref());
        let read = |name: &String| {
            let folder = self.folder_of(&Group::of_graph(name)?);
            partition_json::read(&self.folder, (folder, name), of, &mut maps)
        };
        program.graphs().iter().map(read).collect()
    }

    /// The program that the graphs make up. Bundles of earlier versions do not state it: theirs is that of a built-in
    /// family.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn program(&self) -> Result<Program> {
        match self.has_file(Program::FILE) {
            true => Program::parse(&self.read(Program::FILE, LARGEST_JSON)?, &self.path(Program::FILE)),
            false => autoneural_front::program(&self.definition()?),
        }
    }

    /// What the checkpoint calls the tensors of the graphs.
    ///
    /// # Errors
    /// A definition that is damaged.
    pub fn aliases(&self) -> Result<Aliases> {
        match self.has_definition() {
            true => Ok(self.definition()?.weights.aliases()),
            false => Ok(Aliases::default()),
        }
    }

    fn has_definition(&self) -> bool {
        self.has_file(DEFINITION)
    }

    /// The statistics of all values.
    ///
    /// # Errors
    /// Their file is missing, unreadable or malformed.
    pub fn statistics(&self) -> Result<StatisticsTable> {
        self.json(STATISTICS)
    }

    /// The encodings of every partition.
    ///
    /// # Errors
    /// A table that is damaged or not of these partitions, or two that disagree on a value handed from one to the
    /// other.
    pub fn tables(&self, partitions: &[Partition]) -> Result<Vec<Table>> {
        let mut known: BTreeMap<&str, (&str, Encoding)> = BTreeMap::new();
        let mut tables = Vec::new();
        for partition in partitions {
            let name = format!("encodings/{}.json", partition.name);
            let path = self.path(&name);
            let table = encodings::read(&self.read(&name, encodings::LARGEST)?, &path, &partition.graph)?;
            let ports = partition.inputs.iter().chain(&partition.outputs).filter(|port| !port.encoding_key.is_empty());
            for port in ports {
                let encoding = table.activation(&port.name).map_err(|error| error.within(path.display()))?;
                let (other, first) =
                    known.entry(&port.encoding_key).or_insert_with(|| (&partition.name, encoding.clone()));
                if first != encoding {
                    let place = format!("{}: `{}`", path.display(), port.name);
                    let message = format!("is encoded otherwise than in {other}, which hands it over or takes it");
                    return Err(Error::input(place, message).help("give both the same encoding"));
                }
            }
            tables.push(table);
        }
        Ok(tables)
    }
}

/// The error for a file whose contents differ from what the manifest states.
pub(crate) fn damaged(file: &Path) -> Error {
    Error::input(file.display(), "is not the file that was written: its SHA-256 is another")
        .help("the bundle is damaged; make it again")
}
