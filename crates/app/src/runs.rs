//! Runs of graphs that calibration keeps for methods which run the samples again: the inputs of each run, in hidden
//! files in the safetensors format.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::as_built::{read, write};
use autoneural_base::error::Result;
use autoneural_base::files;
use autoneural_bundle::Bundle;
use autoneural_core::partition::Partition;
use autoneural_core::quantize::layers;
use autoneural_core::recipe::Recipe;
use autoneural_engines::engine::{Engine, Tensor};

/// Most runs of a graph that are kept, because all of them are in memory together when they run again.
const MOST: usize = 32;

/// Names of the graphs whose runs a recipe's rounding methods want: of graphs that share their layers, the first one.
///
/// # Errors
/// The recipe says nothing of a group.
pub(crate) fn wanted(partitions: &[Partition], recipe: &Recipe) -> Result<BTreeSet<String>> {
    let mut made = BTreeSet::new();
    for (at, partition) in partitions.iter().enumerate() {
        if recipe.part(&partition.group)?.rounder().follows() && has_layers_of_its_own(partitions, at) {
            made.insert(partition.name.clone());
        }
    }
    Ok(made)
}

/// Whether a graph has a layer that none before it has.
pub(crate) fn has_layers_of_its_own(partitions: &[Partition], at: usize) -> bool {
    let group = &partitions[at].group;
    let names = |partitions: &[Partition]| -> BTreeSet<String> {
        layers(partitions, group).into_iter().map(|layer| layer.name).collect()
    };
    !names(&partitions[at..=at]).is_subset(&names(&partitions[..at]))
}

fn file(partition: &str, number: usize) -> String {
    format!(".run.{partition}.{number:04}.safetensors")
}

/// Whether a file of the bundle is a run of one of these graphs.
pub(crate) fn is_run(path: &str, partitions: &[Partition]) -> bool {
    let stem = path.strip_prefix("calibration/.run.").and_then(|rest| rest.strip_suffix(".safetensors"));
    let name = stem.and_then(|stem| stem.rsplit_once('.')).map(|(name, _)| name);
    name.is_some_and(|name| partitions.iter().any(|partition| partition.name == name))
}

/// The engine of a graph, which keeps the inputs of its runs in `folder`.
pub(crate) fn recording(engine: Box<dyn Engine>, partition: &str, folder: &Path) -> Box<dyn Engine> {
    Box::new(Recording { engine, partition: partition.to_string(), folder: folder.to_path_buf(), next: 0 })
}

struct Recording {
    engine: Box<dyn Engine>,
    partition: String,
    folder: PathBuf,
    next: usize,
}

impl Engine for Recording {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        // An engine that is loaded again goes on where the one before it ended.
        while self.next < MOST && self.folder.join(file(&self.partition, self.next)).exists() {
            self.next += 1;
        }
        if self.next < MOST {
            write(&self.folder.join(file(&self.partition, self.next)), inputs, &[])?;
        }
        self.engine.run(inputs)
    }
}

/// Joins the runs that shards of the samples kept in these folders, in order, in `folder`: those that all samples
/// together would have kept.
///
/// # Errors
/// A file that cannot be read or written.
pub(crate) fn join(partition: &str, shards: &[PathBuf], folder: &Path) -> Result<()> {
    let paths = shards.iter().flat_map(|shard| (0..MOST).map(|number| shard.join(file(partition, number))));
    for (number, path) in paths.filter(|path| path.exists()).take(MOST).enumerate() {
        files::write(&folder.join(file(partition, number)), &files::read(files::open(&path)?, &path, u64::MAX)?)?;
    }
    Ok(())
}

/// The inputs of all runs of a graph that were kept.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn kept(bundle: &Bundle, partition: &Partition) -> Result<Vec<Vec<Tensor>>> {
    let paths = (0..MOST).map(|number| format!("calibration/{}", file(&partition.name, number)));
    let here = paths.filter(|path| bundle.has_file(path));
    here.map(|path| Ok(read(&bundle.read(&path, u64::MAX)?, &bundle.path(&path))?.0)).collect()
}
