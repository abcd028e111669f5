//! What a host needs beside the quantized models: embeddings and tables as integers, and what the manifest says of
//! them.

use autoneural_base::error::{IoContext, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, Key, Making, PartitionRecord, encoding_of};
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::program::Group;
use autoneural_core::quantize::{Table, of_embeddings};
use autoneural_front::{Component, Definition, Role, Vision};
use autoneural_host::{Embeddings, HostRecord, HostTables};

/// Folder of everything that emission makes.
const FOLDER: &str = "qdq";

/// Writes the embedding table in the integers of the language model's input. Groups other than the language model's
/// have none.
///
/// # Errors
/// The table or the encodings cannot be read, or the file cannot be written.
pub(crate) fn emit_embeddings(
    definition: &Definition,
    bundle: &Making,
    group: &Group,
    progress: &dyn Progress,
) -> Result<()> {
    if *group != Component::Language.group() {
        return Ok(());
    }
    let table = format!("model/{}", Embeddings::FILE);
    let key = bundle.key(Key::new(), |path| {
        path == table || path.strip_prefix("encodings/").is_some_and(|file| group.owns(file))
    })?;
    bundle.unit("emit/embeddings", FOLDER, key, progress, |folder| {
        progress.start("emit embeddings", 1);
        let mut partitions = bundle.partitions()?;
        partitions.retain(|partition| partition.group == *group);
        let embeddings = Embeddings::read(&bundle.path(&table), &definition.language)?;
        if let Some(table) = bundle.tables(&partitions)?.first() {
            embeddings.write_codes(&folder.join(Embeddings::FILE), table.activation("embeds")?)?;
        }
        progress.finish();
        Ok(())
    })
}

/// Writes the tables of pixels and rotary angles, in the encodings that the manifest states.
///
/// # Errors
/// The manifest lacks an encoding, or the file cannot be written.
pub(crate) fn emit_tables(definition: &Definition, bundle: &Making, progress: &dyn Progress) -> Result<()> {
    let encoding = |role: Role| encoding_of(&bundle.manifest.partitions, role.name());
    let image = definition.vision().map(|_| encoding(Role::Image)).transpose()?;
    let rotary = encoding(Role::Rotary)?;
    let key = bundle.key(Key::new(), |path| path == "model/definition.toml")?.setting("encodings", &(&image, &rotary));
    bundle.unit("emit/tables", "", key, progress, |folder| {
        progress.start("emit tables", 1);
        let pictures = definition.vision().map(Vision::preprocess).zip(image.as_ref());
        let tables = HostTables::new(pictures, &definition.language, &rotary)?;
        std::fs::create_dir_all(folder.join(FOLDER)).at(folder)?;
        tables.write(&folder.join(HostTables::FILE))?;
        progress.finish();
        Ok(())
    })
}

/// Fills in the part of the manifest that hosts read: what follows from the definition and the encodings of ports.
///
/// # Errors
/// No port with the role of a mask has an encoding.
pub(crate) fn describe(definition: &Definition, host: &mut HostRecord, partitions: &[PartitionRecord]) -> Result<()> {
    host.describe(definition, &encoding_of(partitions, Role::Mask.name())?);
    Ok(())
}

/// Warnings about rows of the embedding table that set the scale of all others.
///
/// # Errors
/// The embedding table cannot be read, or the table of encodings belongs to another graph.
pub(crate) fn warn_of_embeddings(
    definition: &Definition,
    bundle: &Bundle,
    group: &Group,
    tables: &[&Table],
    statistics: &StatisticsTable,
) -> Result<Vec<Warning>> {
    let Some(table) = tables.last().filter(|_| *group == Component::Language.group()) else { return Ok(vec![]) };
    let visual = statistics.get(&Component::Projector.group(), "embeds");
    let visual = visual.map_or([0.0; 2], |seen| [seen.min, seen.max]);
    let embeddings = Embeddings::read(&bundle.path("model").join(Embeddings::FILE), &definition.language)?;
    let hidden = definition.language.hidden;
    Ok(of_embeddings(embeddings.values(), hidden, table.activation("embeds")?, visual).into_iter().collect())
}
