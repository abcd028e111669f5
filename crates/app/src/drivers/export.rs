//! Exports: what a bundle is made of, and what exports of all kinds have in common.

use std::path::Path;

use super::Takes;
use crate::as_built;
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{Key, Making, write_partition};
use autoneural_core::partition::Partition;
use autoneural_core::passes::Frozen;
use autoneural_core::program::{Group, Program};
use autoneural_core::recipe::Recipe;
use autoneural_core::target::Target;
use autoneural_engines::back::onnx::{DataWriter, emit_as_built, emit_float};

/// Folder of everything that export makes.
pub const FOLDER: &str = "model";

/// What a bundle is made of: files outside of it that become a program.
pub trait Source {
    /// The program that it becomes.
    ///
    /// # Errors
    /// A source that is no program.
    fn program(&self) -> Result<Program>;

    /// What samples of it hold.
    ///
    /// # Errors
    /// A source that is no program.
    fn takes(&self) -> Result<Takes> {
        Ok(Takes::Words)
    }

    /// Looks at everything that would stop a run late: memory, samples.
    ///
    /// # Errors
    /// What cannot be used, by file and sample.
    fn check(&self, bundle: &Making, recipe: &Recipe) -> Result<()>;

    /// Writes graphs, float models and what the host needs, and names model and target in the manifest.
    ///
    /// # Errors
    /// A source that is damaged.
    fn export(&self, bundle: &mut Making, target: (&Target, &str), progress: &dyn Progress) -> Result<()>;
}

/// What is exported.
#[derive(Clone, Copy)]
pub struct Exported<'p> {
    /// All graphs with their ports.
    pub partitions: &'p [Partition],
    /// The graphs as they were built, by the names of the partitions; those that are known.
    pub as_built: &'p [Frozen],
}

/// Writes the float models and the graphs of a group in a unit of work.
///
/// # Errors
/// Those of `graphs`, and of `unchanged`, which looks at the source again before the work counts
/// as done on its contents.
pub fn export_group<'p>(
    bundle: &Making,
    group: &Group,
    key: Key,
    graphs: impl Fn() -> Result<Exported<'p>>,
    unchanged: impl Fn() -> Result<()>,
    progress: &dyn Progress,
) -> Result<()> {
    bundle.unit(&format!("export/{group}"), FOLDER, key, progress, |folder| {
        let Exported { partitions, as_built } = graphs()?;
        let partitions = partitions.iter().filter(|partition| partition.group == *group);
        progress.start(&format!("export {group}"), partitions.clone().count() as u64);
        let data = write_graphs(group, partitions.clone(), folder, progress)?;
        let as_built: Vec<_> =
            partitions.filter_map(|one| as_built.iter().find(|graph| graph.name == one.name)).collect();
        if !as_built.is_empty() {
            let mut own = DataWriter::create_as_built(folder, group)?;
            for graph in as_built {
                emit_as_built(graph, &folder.join(as_built::model(&graph.name)), &data, &mut own)?;
            }
            own.finish()?;
        }
        data.finish()?;
        progress.finish();
        unchanged()
    })
}

/// Writes graphs and float models of a group into a folder; gives the writer of their data, which is not finished.
///
/// # Errors
/// What the operating system refuses.
pub fn write_graphs<'p>(
    group: &Group,
    partitions: impl Iterator<Item = &'p Partition>,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<DataWriter> {
    let mut data = DataWriter::create(folder, group)?;
    for partition in partitions {
        progress.begin(&partition.name);
        let places = emit_float(partition, &folder.join(format!("{}.onnx", partition.name)), &mut data)?;
        write_partition(partition, &places, folder)?;
        progress.tick(&partition.name);
    }
    Ok(data)
}

/// Refuses to replace a bundle that was made of something else: a name that was mistyped must not cost it.
pub fn refuse_another_model(bundle: &Making, model: &str, target: &Target) -> Result<()> {
    let Some((place, before)) = bundle.before() else { return Ok(()) };
    if before.model == model && before.target == target.name {
        return Ok(());
    }
    let message = format!("is a bundle of {} for {}", before.model, before.target);
    let help = format!("choose another folder for {model} for {}, or replace it with --force", target.name);
    Err(Error::input(place.display(), message).help(help))
}
