//! Bundles: the folder that everything is written to and read from. Each stage owns one folder (or file) in it.
//!
//! A bundle is whole when its `manifest.json` is there: that file is written last, and lists every other file. While it is
//! made it is in a hidden folder beside its place, in units of work that a ledger remembers.

mod json;
mod ledger;
mod lock;
mod manifest;
mod partition_json;
mod place;
mod segment_record;
mod stamp;
mod unit;
mod work;

pub use json::{LARGEST_JSON, json_of, read_json, write_json};
pub use ledger::Key;
pub use manifest::{
    FileRecord, InputRecord, Manifest, PartitionRecord, PortRecord, StageRecord, ToolkitRecord, digest, hash, short,
};
pub use segment_record::{CrossingRecord, SegmentRecord};
use work::Work;
pub use work::{Begin, Outcome, Tally};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::encoding::Encoding;
use crate::error::{Error, IoContext, Result};
use crate::folder::remove;
use crate::front::Definition;
use crate::host::HostFacts;
use crate::observe::StatisticsTable;
use crate::partition::{NAMES, Partition};
use crate::progress::Progress;
use crate::quantize::Table;
use crate::segment::{Segment, segments};
use crate::target::Target;

const MANIFEST: &str = "manifest.json";
/// Statistics of every value.
pub const STATISTICS: &str = "calibration/statistics.json";
/// Statistics of what pictures go through: the first half of calibration, kept for runs that begin with the second.
pub const IMAGE_STATISTICS: &str = "calibration/.images.json";
/// What the images of calibration hold.
pub const IMAGES: &str = "calibration/images.json";
/// Embeddings of the pictures that were calibrated with, kept for the same.
pub const VISUAL: &str = "calibration/.visual.safetensors";
/// The report's file name.
pub const REPORT: &str = "report.json";

/// The stages in order, with the folder or file each one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Graphs, float models, what the host needs.
    Export,
    /// Statistics.
    Calibrate,
    /// Encodings.
    Quantize,
    /// Quantized models.
    Emit,
    /// Context binaries.
    Build,
    /// The report.
    Verify,
}

impl Stage {
    /// All stages.
    pub const ALL: [Stage; 6] =
        [Stage::Export, Stage::Calibrate, Stage::Quantize, Stage::Emit, Stage::Build, Stage::Verify];

    /// Name, as the command of the stage.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Export => "export",
            Stage::Calibrate => "calibrate",
            Stage::Quantize => "quantize",
            Stage::Emit => "emit",
            Stage::Build => "build",
            Stage::Verify => "verify",
        }
    }

    /// The folder or file that the stage owns.
    fn owns(self) -> &'static str {
        match self {
            Stage::Export => "model",
            Stage::Calibrate => "calibration",
            Stage::Quantize => "encodings",
            Stage::Emit => "qdq",
            Stage::Build => "context",
            Stage::Verify => REPORT,
        }
    }

    /// Whether a file of the bundle, by its path, is the stage's.
    fn owns_file(self, path: &str) -> bool {
        path.strip_prefix(self.owns()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a unit of work, by its name, is of the stage.
    fn is_of(self, unit: &str) -> bool {
        unit.split('/').next() == Some(self.name())
    }
}

/// A bundle on disk.
pub struct Bundle {
    root: PathBuf,
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
            if hash(&on_disk)? != file.sha256 {
                return Err(damaged(&on_disk));
            }
            progress.tick(&file.path);
        }
        progress.finish();
        Ok(())
    }

    /// Opens a whole bundle to look at it.
    ///
    /// # Errors
    /// No manifest, one of another schema, a file that is missing or has another size than the manifest says.
    pub fn look(path: &Path) -> Result<Self> {
        let place = path.join(MANIFEST);
        if !place.is_file() {
            return Err(Error::input(path.display(), "is no bundle (it has no manifest.json)")
                .help("`autoneural compile` or `autoneural export` makes one"));
        }
        let manifest = Manifest::read(&place)?;
        for file in &manifest.files {
            let on_disk = path.join(&file.path);
            let length = std::fs::metadata(&on_disk).map(|meta| meta.len()).ok();
            if length != Some(file.bytes) {
                let message = match length {
                    Some(length) => format!("has {length} bytes, the manifest says {}", file.bytes),
                    None => "is missing, the manifest lists it".to_string(),
                };
                return Err(Error::input(on_disk.display(), message).help("the bundle is damaged; make it again"));
            }
        }
        Ok(Bundle { root: path.to_path_buf(), manifest, work: None })
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

    /// Replaces one file of a bundle that was opened to look at, and its record in the manifest.
    pub fn update_file(&mut self, path: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let on_disk = self.path(path);
        write(&on_disk)?;
        let bytes = std::fs::metadata(&on_disk).at(&on_disk)?.len();
        let record = FileRecord { path: path.to_string(), bytes, sha256: hash(&on_disk)? };
        self.manifest.files.retain(|file| file.path != path);
        self.manifest.files.push(record);
        self.manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.manifest.write(&self.root.join(MANIFEST))
    }

    /// The model definition, with what is known of the checkpoint beside it.
    pub fn definition(&self) -> Result<Definition> {
        let mut made = Definition::read(&self.path("model/definition.toml"))?;
        let path = self.host_folder().join(HostFacts::FILE);
        if path.symlink_metadata().is_ok() {
            made.language.tokens.ends = read_json::<HostFacts>(&path)?.ends;
        }
        Ok(made)
    }

    /// The target.
    pub fn target(&self) -> Result<Target> {
        let path = self.path("model/target.toml");
        Target::parse(&crate::text::read(&path)?, &path)
    }

    /// Folder of what the host needs in float: tokenizer and embeddings.
    pub fn host_folder(&self) -> PathBuf {
        self.path("model")
    }

    /// Hidden folder in which an evaluation keeps what it has computed with these models. What it kept of other models
    /// that were here before is removed.
    pub fn evaluation_folder(&self) -> Result<PathBuf> {
        let models = self.manifest.files.iter().filter(|file| file.path.contains('/'));
        let key = manifest::digest(models.flat_map(|file| [file.path.as_str(), file.sha256.as_str()]));
        let kept = self.path(place::EVALUATION);
        let folder = kept.join(&key[..16]);
        if kept.is_dir() && !folder.is_dir() {
            remove(&kept)?;
        }
        std::fs::create_dir_all(&folder).at(&folder)?;
        Ok(folder)
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
        let definition = self.definition()?;
        let mut maps = partition_json::Maps::default();
        let read = |name: &&str| partition_json::read(&self.path("model"), name, &definition, &mut maps);
        NAMES.iter().map(read).collect()
    }

    /// The statistics of all values.
    pub fn statistics(&self) -> Result<StatisticsTable> {
        read_json(&self.path(STATISTICS))
    }

    /// The statistics of what pictures go through, which are there first.
    pub fn image_statistics(&self) -> Result<StatisticsTable> {
        read_json(&self.path(IMAGE_STATISTICS))
    }

    /// The encodings of every partition.
    ///
    /// # Errors
    /// A table that is damaged or not of these partitions, or two that disagree on a value handed from one to the other.
    pub fn tables(&self, partitions: &[Partition]) -> Result<Vec<Table>> {
        let mut known: BTreeMap<&str, (&str, Encoding)> = BTreeMap::new();
        let mut tables = Vec::new();
        for partition in partitions {
            let path = self.path(format!("encodings/{}.json", partition.name));
            let table = super::encodings::read(&path, &partition.graph)?;
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

/// Writes a partition's graph; `places` tells where its constants stand in the data file of its component.
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
