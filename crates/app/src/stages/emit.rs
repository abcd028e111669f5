//! Emit: graphs, encodings and codes become quantized models.

use super::codes::{codes, is_code};
use super::round::round;
use crate::drivers::{Driver, of_bundle};
use crate::shards::RoundedParts;
use autoneural_base::error::Result;
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, Key, Making, RECIPE, Stage};
use autoneural_core::doubts::of_moments;
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, groups};
use autoneural_core::quantize::{Constants, Forms, Table};
use autoneural_core::recipe::Recipe;
use autoneural_core::segment::{cut, segments};
use autoneural_engines::back::onnx::{DataWriter, emit_qdq};

/// Folder of everything that emission makes.
const FOLDER: &str = "qdq";

/// Runs the stage for all groups. Where there are `parts`, their layers are rounded already.
///
/// # Errors
/// Encodings are missing or contradict each other, a rounding method fails, parts do not belong to this bundle, or files
/// cannot be read or written.
pub fn emit(bundle: &mut Making, parts: Option<&RoundedParts>, progress: &dyn Progress) -> Result<()> {
    let (driver, partitions) = (of_bundle(bundle)?, bundle.partitions()?);
    // Encodings may have been edited: they must agree over all borders.
    bundle.tables(&partitions)?;
    let recipe = Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?;
    let mut warnings = Vec::new();
    for group in groups(&partitions) {
        warnings.extend(emit_group(bundle, &*driver, (&group, parts), &recipe, progress)?);
    }
    bundle.manifest.set_warnings(Stage::Emit.name(), warnings);
    driver.emit(bundle, progress)
}

/// Writes the codes and quantized models of one group. Gives warnings about what weights were rounded by.
///
/// # Errors
/// As for [`emit`].
pub fn emit_group(
    bundle: &Making,
    driver: &dyn Driver,
    (group, parts): (&Group, Option<&RoundedParts>),
    recipe: &Recipe,
    progress: &dyn Progress,
) -> Result<Vec<Warning>> {
    let (partitions, tables) = own(bundle, group)?;
    let constants = Constants::of(partitions.iter().zip(&tables))?;
    let rounder = recipe.part(group)?.rounder();
    // Layers that follow one another are not in parts.
    let parts = parts.filter(|_| !rounder.follows());
    let doubtful = round((bundle, group), (&partitions, &tables), (&constants, rounder), parts, progress)?;
    let key = bundle.key(Key::new(), |path| match path.split_once('/') {
        _ if is_code(group, path) => true,
        Some(("model" | "equalized" | "encodings", file)) => group.owns(file) && !file.ends_with(".onnx"),
        _ => false,
    })?;
    let target = bundle.target()?;
    let forms = Forms::of(&target, recipe, group)?;
    // Cuts depend on these parts of the target; everything else of it is already in the encodings.
    let key = key.setting("operators", &target.operators()).setting("memory", &target.memory).setting("forms", &forms);
    bundle.unit(&format!("emit/{}", group.name()), FOLDER, key, progress, |folder| {
        progress.start(&format!("emit {}", group.name()), partitions.len() as u64);
        let codes = codes(bundle, group, &constants)?;
        let mut data = DataWriter::create(folder, group)?;
        for (partition, table) in partitions.iter().zip(&tables) {
            progress.begin(&partition.name);
            let path = |name: &str| folder.join(format!("{name}.onnx"));
            emit_qdq(&partition.graph, table, &*codes, &forms, &path(&partition.name), &mut data)?;
            let segments = segments(partition, table, &target)?;
            for segment in segments.iter().filter(|_| segments.len() > 1) {
                let part = cut(&partition.graph, segment)?;
                emit_qdq(&part, table, &*codes, &forms, &path(&segment.name), &mut data)?;
            }
            progress.tick(&partition.name);
        }
        data.finish()?;
        progress.finish();
        Ok(())
    })?;
    driver.emit_of_group(bundle, group, progress)?;
    Ok(of_moments(&doubtful, rounder.method.name(), group, Stage::Emit.name()))
}

/// The graphs of a group with their encodings.
pub(crate) fn own(bundle: &Bundle, group: &Group) -> Result<(Vec<Partition>, Vec<Table>)> {
    let mut partitions = bundle.partitions()?;
    partitions.retain(|partition| partition.group == *group);
    let tables = bundle.tables(&partitions)?;
    Ok((partitions, tables))
}
