//! Codes of a share of the layers, rounded by a process of its own. `rounded.json` says which share it is, and under which
//! key each layer was rounded: its numbers, its encoding, the method and the evidence.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::program::{own_build, refuse_other_program};
use super::share::{Share, refuse_gaps};
use autoneural_base::error::{Error, Result};
use autoneural_base::files::{self, Folder};
use autoneural_base::json::{LARGEST_JSON, json_of};
use autoneural_base::version::VERSION;
use autoneural_bundle::hash_bytes;
use autoneural_core::doubts::Moments;

/// Version of the format.
const SCHEMA: u32 = 1;
/// The file that lists the others.
pub(crate) const ROUNDED: &str = "rounded.json";
/// What to do where a part cannot be used.
const AGAIN: &str = "`autoneural emit --shard` with this bundle and program makes it again";

/// The codes of one layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoundedFile {
    /// Its path below the bundle's folder of codes, and in the part.
    pub path: String,
    /// Digest of what it was made of.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of what it holds.
    pub sha256: String,
    /// Moments that said too little of what the method asked for.
    pub doubtful: Vec<Moments>,
}

/// The list of a part.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoundedPart {
    schema: u32,
    /// Which share of the layers.
    pub shard: Share,
    /// Version of the program.
    program: String,
    /// SHA-256 of the program: another build of it may round otherwise.
    build: String,
    /// What it has.
    pub files: Vec<RoundedFile>,
}

impl RoundedPart {
    /// The list of what this program made.
    ///
    /// # Errors
    /// The program's own file cannot be read.
    pub(crate) fn new(shard: Share, files: Vec<RoundedFile>) -> Result<Self> {
        Ok(RoundedPart { schema: SCHEMA, shard, program: VERSION.to_string(), build: own_build()?, files })
    }

    fn read(path: &Path) -> Result<Self> {
        let folder = Folder::given(path)?;
        if !folder.has(ROUNDED) {
            return Err(Error::input(path.display(), format!("has no rounded layers (no {ROUNDED})"))
                .help("`autoneural emit --shard 1/2 --part FOLDER` makes a part"));
        }
        let list = path.join(ROUNDED);
        json_of(&list, &folder.read(ROUNDED, LARGEST_JSON)?, SCHEMA, "make the part again")
    }
}

/// The parts of all shares of the layers.
pub struct RoundedParts(Vec<(PathBuf, RoundedPart)>);

impl RoundedParts {
    /// Reads the lists of parts, which must be those of all shares and of this program. Their order does not matter.
    ///
    /// # Errors
    /// A folder that is no part, a part of another program, a share that is missing or stands twice.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let (build, mut made) = (own_build()?, Vec::new());
        for path in paths {
            let part = RoundedPart::read(path)?;
            refuse_other_program(path, (&part.program, &part.build), &build, AGAIN)?;
            made.push((path.clone(), part));
        }
        let shares: Vec<_> = made.iter().map(|(path, part)| (part.shard, path.clone())).collect();
        refuse_gaps(&shares, "shard", "--join", "`autoneural emit --shard` makes the part of a shard")?;
        Ok(RoundedParts(made))
    }

    /// Copies the codes of a layer, by their path, to `to`. They must have been made of the same (`key`). Gives the moments
    /// that said too little for them.
    ///
    /// # Errors
    /// No part has them, they were made of something else, or the file is not the one that was written.
    pub(crate) fn copy(&self, path: &str, key: &str, to: &Path) -> Result<Vec<Moments>> {
        let found = self.0.iter().find_map(|(folder, part)| {
            let file = part.files.iter().find(|file| file.path == path)?;
            Some((folder, file))
        });
        let Some((folder, file)) = found else {
            return Err(Error::input("--join", format!("no part has codes of `{path}`")).help(AGAIN));
        };
        let place = folder.join(path);
        if file.key != key {
            let message = "was rounded from other numbers, encodings or evidence, or by another method";
            return Err(Error::input(place.display(), message).help(AGAIN));
        }
        let bytes = Folder::open(folder)?.read(path, file.bytes)?;
        if hash_bytes(&bytes) != file.sha256 {
            return Err(Error::input(place.display(), "is not the file that was written").help(AGAIN));
        }
        files::write(to, &bytes)?;
        Ok(file.doubtful.clone())
    }
}
