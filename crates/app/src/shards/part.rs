//! Parts: folders with what calibration found on a share of the samples. `part.json` says of which share of which
//! samples, of which model, recipe, target and program, and lists every other file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::program::own_build;
use super::share::Share;
use autoneural_base::error::{Error, Result};
use autoneural_base::files::{self, Folder};
use autoneural_base::json::{LARGEST_JSON, json_of};
use autoneural_base::version::VERSION;
use autoneural_bundle::{Bundle, EQUALIZED, FileRecord, InputRecord, digest, hash_bytes, hash_of, records};
use autoneural_core::recipe::{Recipe, Sample};

/// Version of the format.
const SCHEMA: u32 = 1;
/// The file that lists the others.
pub(crate) const LIST: &str = "part.json";
/// Name of the ranges of a phase, in the phase's folder.
pub(crate) const RANGES: &str = "ranges.json";
/// Name of what the driver knows beside them.
pub(crate) const KNOWN: &str = "known.json";

/// What all parts of one calibration have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    /// Version of the program.
    program: String,
    /// SHA-256 of the program: another build of it may compute other last bits.
    build: String,
    /// Of the bundle's graphs and weights.
    model: String,
    /// Of the bundle's target.
    target: String,
    /// Of the recipe's text.
    recipe: String,
}

impl Origin {
    /// That of a calibration of a bundle with a recipe by this program.
    ///
    /// # Errors
    /// The program's own file cannot be read.
    pub(crate) fn of(bundle: &Bundle, recipe: &Recipe) -> Result<Self> {
        const TARGET: &str = "model/target.toml";
        let files = &bundle.manifest.files;
        let is_model = |file: &&FileRecord| {
            (file.path.starts_with("model/") || file.path.starts_with(EQUALIZED)) && file.path != TARGET
        };
        let model = files.iter().filter(is_model).flat_map(|file| [file.path.as_str(), file.sha256.as_str()]);
        let target = files.iter().find(|file| file.path == TARGET).map(|file| file.sha256.clone());
        Ok(Origin {
            program: VERSION.to_string(),
            build: own_build()?,
            model: digest(model),
            target: target.unwrap_or_default(),
            recipe: hash_bytes(recipe.text().as_bytes()),
        })
    }

    /// What of another one is not the same, in words; `None` if all is.
    pub(crate) fn difference(&self, other: &Origin) -> Option<String> {
        if self.program != other.program {
            return Some(format!("version {} of the program, this is {}", other.program, self.program));
        }
        let pairs = [
            ("another model", &self.model, &other.model),
            ("another target", &self.target, &other.target),
            ("another recipe, or other samples", &self.recipe, &other.recipe),
            ("another build of the program", &self.build, &other.build),
        ];
        pairs.into_iter().find(|(_, own, other)| own != other).map(|(what, ..)| what.to_string())
    }
}

/// The list of a part.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    schema: u32,
    /// Which share of the samples.
    pub shard: Share,
    /// Of what it is a part.
    pub origin: Origin,
    /// What the files of its samples hold.
    pub samples: Vec<InputRecord>,
    files: Vec<FileRecord>,
    #[serde(skip)]
    pub folder: PathBuf,
}

impl Part {
    /// The list of a part whose other files are in a folder.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn new(shard: Share, origin: Origin, samples: Vec<InputRecord>, folder: &Path) -> Result<Self> {
        Ok(Part { schema: SCHEMA, shard, origin, samples, files: records(folder, "")?, folder: folder.to_path_buf() })
    }

    /// Reads a part's list, and checks that its files are those that were written.
    ///
    /// # Errors
    /// A folder that is no part, or a part that is damaged.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let none = |message: String| {
            Error::input(path.display(), message).help("`autoneural calibrate --shard 1/2 --part FOLDER` makes a part")
        };
        let folder = Folder::given(path)?;
        if !folder.has(LIST) {
            return Err(none(format!("is no part of a calibration (it has no {LIST})")));
        }
        let list = path.join(LIST);
        let mut made: Part = json_of(&list, &folder.read(LIST, LARGEST_JSON)?, SCHEMA, "make the part again")?;
        let mut found = records(path, "")?;
        // Nothing reads hidden files beside the list, where schedulers leave notes.
        found.retain(|file| file.path != LIST && !file.path.starts_with('.'));
        let by_path = |files: &[FileRecord]| -> BTreeMap<String, FileRecord> {
            files.iter().map(|file| (file.path.clone(), file.clone())).collect()
        };
        let (listed, found) = (by_path(&made.files), by_path(&found));
        let names = listed.keys().chain(found.keys());
        if let Some(name) = names.into_iter().find(|name| listed.get(*name) != found.get(*name)) {
            let message = match (listed.get(name), found.get(name)) {
                (Some(_), None) => format!("is missing, {LIST} lists it"),
                (None, _) => format!("is not in {LIST}"),
                _ => "is not the file that was written".to_string(),
            };
            return Err(Error::input(path.join(name).display(), message).help("make the part again"));
        }
        made.folder = path.to_path_buf();
        Ok(made)
    }

    /// The folder of a phase.
    pub(crate) fn phase(&self, phase: &str) -> PathBuf {
        self.folder.join(phase)
    }

    /// Whether it has a file.
    pub(crate) fn has(&self, relative: &str) -> bool {
        self.files.iter().any(|file| file.path == relative)
    }
}

/// What the files that samples name hold, each once.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn contents(recipe: &Recipe, samples: &[Sample]) -> Result<Vec<InputRecord>> {
    let mut made: Vec<InputRecord> = Vec::new();
    for sample in samples {
        let images = sample.images.iter().map(PathBuf::as_path).zip(recipe.image_paths(sample));
        for (name, path) in images.chain(sample.files().into_iter().map(|file| (file, sample.beside(file)))) {
            let name = name.display().to_string();
            if made.iter().all(|record| record.path != name) {
                let hash = || hash_of(&files::open(&path)?, &path);
                let sha256 = hash().map_err(|error| error.within(&sample.place))?;
                made.push(InputRecord { path: name, sha256 });
            }
        }
    }
    Ok(made)
}
