//! Rounding of a share of the layers: what it makes goes to a part. Groups whose method rounds the layers one after the
//! other are left out: each of their layers waits for the one before it, and runs of the graphs stay where they were made.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::emit::own;
use super::kept_evidence::KeptEvidence;
use super::round::Rounding;
use crate::shards::{ROUNDED, RoundedFile, RoundedPart, Share, refuse_taken};
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::Folder;
use autoneural_base::folder::{self, Partial};
use autoneural_base::json::write_json;
use autoneural_base::progress::Progress;
use autoneural_bundle::{Bundle, RECIPE, Stage, hash_of};
use autoneural_core::program::{Group, groups};
use autoneural_core::quantize::Constants;
use autoneural_core::recipe::Recipe;

/// What was rounded, and where it is.
#[derive(Debug, Clone, Serialize)]
pub struct RoundedShare {
    /// The share.
    pub shard: Share,
    /// How many layers are in it.
    pub layers: usize,
    /// The part's folder.
    pub part: PathBuf,
}

/// Rounds a share of the layers of all groups, and writes their codes to the folder `out`. The bundle is only read, so
/// that shares may run at the same time.
///
/// # Errors
/// A bundle without encodings, fewer layers than shares, a method that fails, or files that cannot be read or
/// written.
pub fn round_share(bundle: &Bundle, shard: Share, out: &Path, progress: &dyn Progress) -> Result<RoundedShare> {
    if !bundle.manifest.has(Stage::Quantize.name()) {
        return Err(Error::input(bundle.path("").display(), "`quantize` has not run").help("run `autoneural quantize`"));
    }
    refuse_taken(out, ROUNDED)?;
    let partitions = bundle.partitions()?;
    bundle.tables(&partitions)?;
    bundle.check(&|path| !path.starts_with("qdq/"), progress)?;
    let recipe = Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?;
    let mut all: Vec<(Group, usize)> = Vec::new();
    let mut left_out = Vec::new();
    for group in groups(&partitions) {
        let rounder = recipe.part(&group)?.rounder();
        if rounder.follows() {
            left_out.push(format!("`{}` in {group}", rounder.name()));
            continue;
        }
        let (partitions, tables) = own(bundle, &group)?;
        let count = Constants::of(partitions.iter().zip(&tables))?.layers.len();
        all.extend((0..count).map(|layer| (group.clone(), layer)));
    }
    let mine = shard.range(all.len(), "layers that are rounded apart from others").map_err(|error| {
        let why = "rounds layers one after the other, in `emit --join` or `emit`";
        if left_out.is_empty() { error } else { error.help(format!("{} {why}", left_out.join(" and "))) }
    })?;
    let mine = &all[mine];
    let place = folder::place(out)?;
    let partial = Partial::begin(&place)?;
    let root = partial.path();
    progress.start("round", mine.len() as u64);
    let mut files = Vec::new();
    for share in mine.chunk_by(|(one, _), (other, _)| one == other) {
        let layers: Vec<usize> = share.iter().map(|(_, layer)| *layer).collect();
        files.extend(of_group((bundle, &share[0].0), &recipe, &layers, root, progress)?);
    }
    progress.finish();
    write_json(&RoundedPart::new(shard, files)?, &root.join(ROUNDED))?;
    bundle.refuse_other_models()?;
    refuse_taken(out, ROUNDED)?;
    partial.finish(&place)?;
    Ok(RoundedShare { shard, layers: mine.len(), part: out.to_path_buf() })
}

/// Rounds layers of a group, by their numbers.
fn of_group(
    (bundle, group): (&Bundle, &Group),
    recipe: &Recipe,
    wanted: &[usize],
    root: &Path,
    progress: &dyn Progress,
) -> Result<Vec<RoundedFile>> {
    let (partitions, tables) = own(bundle, group)?;
    let constants = Constants::of(partitions.iter().zip(&tables))?;
    let (rounder, collected) = (recipe.part(group)?.rounder(), KeptEvidence(bundle));
    let rounding = Rounding::new((bundle, group), (&partitions, &tables), (&constants, rounder), &collected);
    let (tasks, folder) = (rounding.tasks()?, root.join(group.name()));
    std::fs::create_dir_all(&folder).at(&folder)?;
    let none = |file: &str| Err(Error::internal(file, "waits for other layers"));
    let mut made = Vec::new();
    for &at in wanted {
        progress.begin(rounding.name(at));
        let (task, path) = (&tasks[at], folder.join(&tasks[at].file));
        let doubtful = rounding.layer(at, &tasks, &path, &none)?;
        let file = Folder::open(&folder)?.file(&task.file)?;
        made.push(RoundedFile {
            path: format!("{group}/{}", task.file),
            key: task.key.digest(),
            bytes: file.metadata().at(&path)?.len(),
            sha256: hash_of(&file, &path)?,
            doubtful,
        });
        progress.tick(rounding.name(at));
    }
    Ok(made)
}
