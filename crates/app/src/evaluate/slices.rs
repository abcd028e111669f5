//! Slices of a set: each is evaluated by itself, its journal in a folder of its own, and an evaluation of the whole set
//! takes the journals over.

use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::shards::{Share, own_build};
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::Folder;
use autoneural_base::json::{LARGEST_JSON, json_of, text_of};
use autoneural_base::version::VERSION;
use autoneural_bundle::Bundle;

/// Version of the format.
const SCHEMA: u32 = 1;
/// The file that says what a folder is a slice of.
pub(super) const LIST: &str = "slice.json";

/// Which part of a set is evaluated, and which parts were before.
#[derive(Debug, Clone, Default)]
pub struct Slices {
    /// The share that is evaluated and the folder that it goes to; `None` for the whole set.
    pub own: Option<(Share, PathBuf)>,
    /// Folders of all slices, whose answers are taken over.
    pub joined: Vec<PathBuf>,
}

/// What a folder has a slice of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    schema: u32,
    pub slice: Share,
    /// Version of the program.
    program: String,
    /// SHA-256 of the program.
    build: String,
    /// Of the models that answered.
    models: String,
    /// Of the set.
    set: String,
}

impl List {
    /// That of a slice of a set with the models of a bundle.
    ///
    /// # Errors
    /// The program's own file cannot be read.
    pub(super) fn new(slice: Share, bundle: &Bundle, set: &str) -> Result<Self> {
        let (program, models, set) = (VERSION.to_string(), bundle.models_key(), set.to_string());
        Ok(List { schema: SCHEMA, slice, program, build: own_build()?, models, set })
    }

    /// That of a folder.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub(super) fn read(folder: &Folder) -> Result<Self> {
        let path = folder.path().join(LIST);
        json_of(&path, &folder.read(LIST, LARGEST_JSON)?, SCHEMA, "evaluate the slice again")
    }

    /// What of another one is not the same, in words; `None` if all is.
    pub(super) fn difference(&self, other: &List) -> Option<&'static str> {
        let pairs = [
            ("another version of the program", &self.program, &other.program),
            ("other models", &self.models, &other.models),
            ("another set, or one that is counted or shown otherwise", &self.set, &other.set),
            ("another build of the program", &self.build, &other.build),
        ];
        pairs.into_iter().find(|(_, own, other)| own != other).map(|(what, ..)| what)
    }
}

impl Slices {
    /// Whether only a slice is evaluated, whose figures are not those of the report.
    pub fn is_slice(&self) -> bool {
        self.own.is_some()
    }

    /// The entries, of so many, that are evaluated; `what` names them.
    ///
    /// # Errors
    /// Fewer entries than slices.
    pub(crate) fn range(&self, length: usize, what: &str) -> Result<Range<usize>> {
        self.own.as_ref().map_or(Ok(0..length), |(share, _)| share.range(length, what))
    }

    /// The folder in which the evaluation of a bundle keeps what it finds.
    ///
    /// # Errors
    /// A folder that is of something else, or that the operating system refuses.
    pub(crate) fn folder(&self, bundle: &Bundle, set: &str) -> Result<Folder> {
        let Some((share, out)) = &self.own else { return bundle.evaluation_folder()?.folder(set) };
        std::fs::create_dir_all(out).at(out)?;
        let (folder, list) = (Folder::open(out)?, List::new(*share, bundle, set)?);
        let is_empty = std::fs::read_dir(out).at(out)?.next().is_none();
        if is_empty {
            let text = text_of(&list, &out.join(LIST))?;
            folder.replace(LIST, text.as_bytes())?;
        } else if !folder.has(LIST) || List::read(&folder)? != list {
            return Err(Error::input(out.display(), "exists, and is not this slice of this set with these models")
                .help("choose another folder with --part, or remove it"));
        }
        Ok(folder)
    }
}
