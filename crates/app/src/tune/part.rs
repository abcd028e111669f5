//! Measurements of a share of the layers, made by a process of its own. `measured.json` says which share it is, and under
//! which key each layer was measured: graphs, weights, samples, bits and method.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tried::Tried;
use crate::shards::{Share, own_build, refuse_gaps, refuse_other_program};
use autoneural_base::error::{Error, Result};
use autoneural_base::files::Folder;
use autoneural_base::json::{LARGEST_JSON, json_of};
use autoneural_base::version::VERSION;

/// Version of the format.
const SCHEMA: u32 = 1;
/// The file of a part.
pub(crate) const MEASURED: &str = "measured.json";
/// What to do where a part cannot be used.
const AGAIN: &str = "`autoneural tune --shard` with the same model, recipe, text and program makes it again";

/// The measurements of one layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredLayer {
    /// Its group.
    pub group: String,
    /// Name of its weight.
    pub layer: String,
    /// Digest of what was measured.
    pub key: String,
    /// What was found of each of its choices.
    pub tried: Vec<Tried>,
}

/// A part.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredPart {
    schema: u32,
    /// Which share of the layers.
    shard: Share,
    /// Version of the program.
    program: String,
    /// SHA-256 of the program: another build of it may compute other last bits.
    build: String,
    /// What it has.
    layers: Vec<MeasuredLayer>,
}

impl MeasuredPart {
    /// What this program measured.
    ///
    /// # Errors
    /// The program's own file cannot be read.
    pub(crate) fn new(shard: Share, layers: Vec<MeasuredLayer>) -> Result<Self> {
        Ok(MeasuredPart { schema: SCHEMA, shard, program: VERSION.to_string(), build: own_build()?, layers })
    }

    fn read(path: &Path) -> Result<Self> {
        let folder = Folder::given(path)?;
        if !folder.has(MEASURED) {
            return Err(Error::input(path.display(), format!("has no measured layers (no {MEASURED})"))
                .help("`autoneural tune --shard 1/2 --part FOLDER` makes a part"));
        }
        let file = path.join(MEASURED);
        json_of(&file, &folder.read(MEASURED, LARGEST_JSON)?, SCHEMA, AGAIN)
    }
}

/// The parts of all shares of the layers.
pub struct MeasuredParts(Vec<(PathBuf, MeasuredPart)>);

impl MeasuredParts {
    /// Reads parts, which must be those of all shares and of this program. Their order does not matter.
    ///
    /// # Errors
    /// A folder that is no part, a part of another program, a share that is missing or stands twice.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let (build, mut made) = (own_build()?, Vec::new());
        for path in paths {
            let part = MeasuredPart::read(path)?;
            refuse_other_program(path, (&part.program, &part.build), &build, AGAIN)?;
            made.push((path.clone(), part));
        }
        let shares: Vec<_> = made.iter().map(|(path, part)| (part.shard, path.clone())).collect();
        refuse_gaps(&shares, "shard", "--join", "`autoneural tune --shard` makes the part of a shard")?;
        Ok(MeasuredParts(made))
    }

    /// What was found of a layer, which must have been measured under this key, with so many choices.
    ///
    /// # Errors
    /// No part has it, or something else was measured.
    pub(crate) fn find(&self, (group, layer): (&str, &str), key: &str, choices: usize) -> Result<Vec<Tried>> {
        let found = self.0.iter().find_map(|(path, part)| {
            let layer = part.layers.iter().find(|one| one.group == group && one.layer == layer)?;
            Some((path, layer))
        });
        let Some((path, found)) = found else {
            return Err(Error::input("--join", format!("no part has measurements of `{layer}`")).help(AGAIN));
        };
        if found.key != key || found.tried.len() != choices {
            let place = format!("{}: `{layer}`", path.display());
            let message = "was measured with other weights, samples or bits, by another method, or in another unit";
            return Err(Error::input(place, message).help(AGAIN));
        }
        if let Some(tried) = found.tried.iter().find(|one| !(one.local >= 0.0 && one.noise >= 0.0)) {
            let message = format!("has a noise of {} and {}, which is no share of a power", tried.local, tried.noise);
            return Err(Error::input(format!("{}: `{layer}`", path.display()), message).help(AGAIN));
        }
        Ok(found.tried.clone())
    }
}
