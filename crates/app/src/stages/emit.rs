//! Emit: graphs and encodings become quantized models.

use crate::back::onnx::{DataWriter, emit_qdq};
use crate::bundle::{Bundle, Key, Making, encoding_of};
use crate::error::{IoContext, Result};
use crate::front::{Component, Role};
use crate::host::{Embeddings, HostTables};
use crate::partition::Partition;
use crate::program::{Group, groups};
use crate::progress::Progress;
use crate::quantize::Table;
use crate::segment::{cut, segments};

/// Folder of everything that emission makes.
const FOLDER: &str = "qdq";

/// Runs the stage.
pub fn emit(bundle: &Making, progress: &dyn Progress) -> Result<()> {
    let partitions = bundle.partitions()?;
    // Encodings may have been edited: they must agree over all borders.
    bundle.tables(&partitions)?;
    for group in groups(&partitions) {
        emit_group(bundle, &group, progress)?;
    }
    emit_tables(bundle, progress)
}

/// Quantized models of one group, and for the language model the embedding table as integers.
pub fn emit_group(bundle: &Making, group: &Group, progress: &dyn Progress) -> Result<()> {
    let key = bundle.key(Key::new(), |path| match path.split_once('/') {
        Some(("model" | "encodings", file)) => group.owns(file) && !file.ends_with(".onnx"),
        _ => false,
    })?;
    let target = bundle.target()?;
    // What is cut where; the rest of the target is in the encodings.
    let key = key.setting("operators", &target.operators()).setting("memory", &target.memory);
    bundle.unit(&format!("emit/{}", group.name()), FOLDER, key, progress, |folder| {
        let (partitions, tables) = own(bundle, group)?;
        progress.start(&format!("emit {}", group.name()), partitions.len() as u64);
        let mut data = DataWriter::create(folder, group)?;
        for (partition, table) in partitions.iter().zip(&tables) {
            progress.begin(&partition.name);
            emit_qdq(&partition.graph, table, &folder.join(format!("{}.onnx", partition.name)), &mut data)?;
            let segments = segments(partition, table, &target)?;
            for segment in segments.iter().filter(|_| segments.len() > 1) {
                let part = cut(&partition.graph, segment)?;
                emit_qdq(&part, table, &folder.join(format!("{}.onnx", segment.name)), &mut data)?;
            }
            progress.tick(&partition.name);
        }
        data.finish()?;
        progress.finish();
        Ok(())
    })?;
    if *group != Component::Language.group() {
        return Ok(());
    }
    let table = format!("model/{}", Embeddings::FILE);
    let key = bundle.key(Key::new(), |path| {
        path == table || path.strip_prefix("encodings/").is_some_and(|file| group.owns(file))
    })?;
    bundle.unit("emit/embeddings", FOLDER, key, progress, |folder| {
        progress.start("emit embeddings", 1);
        let (_, tables) = own(bundle, group)?;
        let embeddings = Embeddings::read(&bundle.path(&table), &bundle.definition()?.language)?;
        if let Some(table) = tables.first() {
            embeddings.write_codes(&folder.join(Embeddings::FILE), table.activation("embeds")?)?;
        }
        progress.finish();
        Ok(())
    })
}

/// Tables of pixels and rotary angles, by the encodings that the manifest has.
pub fn emit_tables(bundle: &Making, progress: &dyn Progress) -> Result<()> {
    let encoding = |role: Role| encoding_of(&bundle.manifest.partitions, role.name());
    let (image, rotary) = (encoding(Role::Image)?, encoding(Role::Rotary)?);
    let key = bundle.key(Key::new(), |path| path == "model/definition.toml")?.setting("encodings", &(&image, &rotary));
    bundle.unit("emit/tables", "", key, progress, |folder| {
        progress.start("emit tables", 1);
        let definition = bundle.definition()?;
        let tables = HostTables::new(definition.vision.preprocess(), &image, &definition.language, &rotary)?;
        std::fs::create_dir_all(folder.join(FOLDER)).at(folder)?;
        tables.write(&folder.join(HostTables::FILE))?;
        progress.finish();
        Ok(())
    })
}

fn own(bundle: &Bundle, group: &Group) -> Result<(Vec<Partition>, Vec<Table>)> {
    let mut partitions = bundle.partitions()?;
    partitions.retain(|partition| partition.group == *group);
    let tables = bundle.tables(&partitions)?;
    Ok((partitions, tables))
}
