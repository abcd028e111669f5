//! Bundles: the folder that everything is written to and read from. Each stage owns one folder (or file) in it.
//!
//! A bundle is whole when its `manifest.json` is there: that file is written last, and lists every other file. While it is
//! made it is in a hidden folder beside its place, in units of work that a ledger remembers.

pub(crate) use autoneural_base::{error, files, folder, json, machine, map, progress, text, version, warning};
pub(crate) use autoneural_core::{
    encoding, engine, ir, observe, partition, program, quantize, recipe, segment, target,
};
pub(crate) use autoneural_engines::back;
pub(crate) use autoneural_front as front;
pub(crate) use autoneural_host as host;

mod contexts;
mod given;
mod hold;
mod ledger;
mod lock;
mod manifest;
mod model_record;
mod origin;
mod partition_json;
mod place;
mod segment_record;
mod stage;
mod stamp;
mod unit;
mod work;

pub use given::{GivenFiles, GivenRecord};
pub use hold::Held;
pub use ledger::Key;
pub use manifest::{
    FileRecord, GoldenRecord, InputRecord, Manifest, PartitionRecord, PortRecord, StageRecord, ToolkitRecord, digest,
    encoding_of, hash_bytes, is_of_model, short,
};
pub use model_record::{ContextRecord, ModelRecord, RuntimeRecord};
pub use origin::{MODE as OWN_MODE, is as is_ours, of as origin_of};
pub use segment_record::{CrossingRecord, SegmentRecord};
pub use stage::Stage;
use work::Work;
pub use work::{Begin, Outcome, Tally};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::encoding::Encoding;
use crate::error::{Error, IoContext, Result};
use crate::files::Folder;
use crate::folder::remove;
use crate::front::Definition;
use crate::host::{BESIDE_TOKENIZER, CHAT_TEMPLATE, HostFacts, TOKENIZER};
use crate::json::LARGEST_JSON;
use crate::observe::StatisticsTable;
use crate::partition::Partition;
use crate::program::Program;
use crate::progress::{Progress, Silent};
use crate::quantize::{Aliases, Table};
use crate::segment::{Segment, segments};
use crate::target::Target;

/// The definition of a model of a built-in family.
const DEFINITION: &str = "model/definition.toml";
const MANIFEST: &str = "manifest.json";
/// Statistics of every value.
pub const STATISTICS: &str = "calibration/statistics.json";
/// Statistics of what pictures go through: the first half of calibration, kept for runs that begin with the second.
pub const IMAGE_STATISTICS: &str = "calibration/.images.json";
/// What the images of calibration hold.
pub const IMAGES: &str = "calibration/images.json";
/// Embeddings of the pictures that were calibrated with, kept for the same.
pub const VISUAL: &str = "calibration/.visual.safetensors";
/// The recipe's copy.
pub const RECIPE: &str = "calibration/recipe.toml";
/// The report's file name.
pub const REPORT: &str = "report.json";
/// Start of the paths of golden vectors.
pub const GOLDEN: &str = "golden/";

/// A bundle on disk.
pub struct Bundle {
    root: PathBuf,
    folder: Folder,
    /// What the manifest says.
    pub manifest: Manifest,
    /// Of a bundle in the making.
    work: Option<Work>,
}

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
            if manifest::hash_of(&self.folder.file(&file.path)?, &on_disk)? != file.sha256 {
                return Err(damaged(&on_disk));
            }
            progress.tick(&file.path);
        }
        progress.finish();
        Ok(())
    }

    /// Tidies up behind runs that were killed while they put a bundle in its place, if nobody is at work there.
    pub fn tidy(path: &Path) {
        if let Ok(place) = crate::folder::place(path) {
            place::tidy(&place);
        }
    }

    /// Opens a whole bundle to look at it.
    ///
    /// # Errors
    /// No such folder, no manifest in it, one of another schema, a file that is missing, is a link or no regular file, or has another size than the
    /// manifest says.
    pub fn look(path: &Path) -> Result<Self> {
        Self::tidy(path);
        Self::look_at(path)
    }

    fn look_at(path: &Path) -> Result<Self> {
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
        Ok(Bundle { root: path.to_path_buf(), folder, manifest, work: None })
    }

    /// Refuses what was read where another bundle has taken the place of this one meanwhile, so that it may be of both.
    ///
    /// # Errors
    /// Another bundle, or none, has this name now.
    pub fn refuse_replaced(&self) -> Result<()> {
        let now = Folder::open(&self.root).and_then(|now| Ok((now.identity()?, Manifest::read(&now)?)));
        match now {
            Ok((identity, now)) if identity == self.folder.identity()? && now.is(&self.manifest) => Ok(()),
            _ => Err(Error::input(self.root.display(), "was replaced while it was read").help("run the command again")),
        }
    }

    /// As [`Bundle::refuse_replaced`], but a bundle of the same models is as good: an evaluation puts its report beside them.
    ///
    /// # Errors
    /// A bundle of other models, or none, has this name now.
    pub fn refuse_other_models(&self) -> Result<()> {
        self.refuse_replaced().or_else(|error| match Bundle::look(&self.root) {
            Ok(now) if now.manifest.has_models_of(&self.manifest) => now.check(&is_of_model, &Silent),
            _ => Err(error),
        })
    }

    /// Reads a file of the bundle of at most so many bytes; no link is followed.
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
        crate::text::utf8(&self.path(relative), self.read(relative, crate::text::LARGEST)?)
    }

    /// The value of a JSON file of the bundle.
    ///
    /// # Errors
    /// As for [`Bundle::read`], and another content; with the line.
    pub fn json<T: DeserializeOwned>(&self, relative: &str) -> Result<T> {
        crate::text::json(&self.path(relative), &self.read(relative, LARGEST_JSON)?)
    }

    /// Path of a file in the bundle.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Refuses a stage whose forerunner has not run.
    pub fn require(&self, stage: Stage) -> Result<()> {
        let before = Stage::ALL.iter().rev().find(|other| **other < stage && **other != Stage::Build);
        match before.filter(|before| !self.manifest.has(before.name())) {
            Some(before) => {
                let place = self.before().map_or(self.root.as_path(), |(root, _)| root);
                let message = format!("`{}` has not run", before.name());
                Err(Error::input(place.display(), message).help(format!("run `autoneural {}` first", before.name())))
            }
            None => Ok(()),
        }
    }

    /// The model definition, with what is known of the checkpoint beside it.
    pub fn definition(&self) -> Result<Definition> {
        let mut made = Definition::parse(&self.text(DEFINITION)?, &self.path(DEFINITION))?;
        let facts = format!("model/{}", HostFacts::FILE);
        if self.has_file(&facts) {
            made.language.tokens.ends = self.json::<HostFacts>(&facts)?.ends;
        }
        Ok(made)
    }

    /// The target.
    pub fn target(&self) -> Result<Target> {
        let name = "model/target.toml";
        Target::parse(&self.text(name)?, &self.path(name))
    }

    /// Folder of what the host needs in float: tokenizer and embeddings.
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
        let models = manifest::models(self.manifest.files.iter());
        let key = manifest::digest(models.flat_map(|(path, sha256)| [path, sha256]));
        let kept = self.folder.folder(place::EVALUATION)?;
        let key = &key[..16];
        if !kept.has(key) {
            remove(kept.path())?;
        }
        self.folder.folder(Path::new(place::EVALUATION).join(key))
    }

    /// Whether an evaluation left answers here, of these models or of others.
    pub fn has_answers(&self) -> bool {
        self.path(place::EVALUATION).is_dir()
    }

    /// Path of a partition's float model.
    pub fn float_model(&self, partition: &Partition) -> PathBuf {
        self.path(format!("model/{}.onnx", partition.name))
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
        program.graphs().iter().map(|name| partition_json::read(&self.folder, name, of, &mut maps)).collect()
    }

    /// What its graphs are to each other. A bundle of a version that did not write it down is of a vision-language model.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn program(&self) -> Result<Program> {
        match self.has_file(Program::FILE) {
            true => Program::parse(&self.read(Program::FILE, LARGEST_JSON)?, &self.path(Program::FILE)),
            false => crate::front::program(),
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
    pub fn statistics(&self) -> Result<StatisticsTable> {
        self.json(STATISTICS)
    }

    /// The statistics of what pictures go through, which are there first.
    pub fn image_statistics(&self) -> Result<StatisticsTable> {
        self.json(IMAGE_STATISTICS)
    }

    /// The encodings of every partition.
    ///
    /// # Errors
    /// A table that is damaged or not of these partitions, or two that disagree on a value handed from one to the other.
    pub fn tables(&self, partitions: &[Partition]) -> Result<Vec<Table>> {
        let mut known: BTreeMap<&str, (&str, Encoding)> = BTreeMap::new();
        let mut tables = Vec::new();
        for partition in partitions {
            let name = format!("encodings/{}.json", partition.name);
            let path = self.path(&name);
            let table = crate::back::encodings::read(&self.read(&name, LARGEST_JSON)?, &path, &partition.graph)?;
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

/// Writes a partition's graph; `places` tells where its constants stand in the data file of its group.
pub fn write_partition(partition: &Partition, places: &BTreeMap<String, u64>, folder: &Path) -> Result<()> {
    partition_json::write(partition, places, folder)
}

/// The error that a file is not the one that was written.
fn damaged(file: &Path) -> Error {
    Error::input(file.display(), "is not the file that was written: its SHA-256 is another")
        .help("the bundle is damaged; make it again")
}

/// Seconds to the millisecond.
pub fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
