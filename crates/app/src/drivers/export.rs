//! Exports: what a bundle is made of, and what exports of all kinds have in common.

use crate::back::onnx::{DataWriter, emit_float};
use crate::bundle::{Key, Making, write_partition};
use crate::error::{Error, Result};
use crate::partition::Partition;
use crate::program::{Group, Program};
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::target::Target;

/// Folder of everything that export makes.
pub const FOLDER: &str = "model";

/// What a bundle is made of: files outside of it that become a program.
pub trait Source {
    /// The program that it becomes.
    ///
    /// # Errors
    /// A source that is no program.
    fn program(&self) -> Result<Program>;

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

/// Writes the float models and the graphs of a group in a unit of work.
///
/// # Errors
/// Those of `partitions`, which gives all graphs, and of `unchanged`, which looks at the source again before the work counts
/// as done on its contents.
pub fn export_group<'p>(
    bundle: &Making,
    group: &Group,
    key: Key,
    partitions: impl Fn() -> Result<&'p [Partition]>,
    unchanged: impl Fn() -> Result<()>,
    progress: &dyn Progress,
) -> Result<()> {
    bundle.unit(&format!("export/{group}"), FOLDER, key, progress, |folder| {
        let partitions = partitions()?.iter().filter(|partition| partition.group == *group);
        progress.start(&format!("export {group}"), partitions.clone().count() as u64);
        let mut data = DataWriter::create(folder, group)?;
        for partition in partitions {
            progress.begin(&partition.name);
            let places = emit_float(partition, &folder.join(format!("{}.onnx", partition.name)), &mut data)?;
            write_partition(partition, &places, folder)?;
            progress.tick(&partition.name);
        }
        data.finish()?;
        progress.finish();
        unchanged()
    })
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
