//! Calibration in two phases, of which the second waits for nothing but the first: pictures, which is all that vision
//! encoder and projector see, then prompts, with what the pictures became.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::samples::{and_images, and_words, use_template};
use crate::drivers::{LoadAny, Phase, Run};
use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_bundle::{Key, Making};
use autoneural_core::evidence::{Statistics, StatisticsTable};
use autoneural_core::ir::le_bytes;
use autoneural_core::recipe::Recipe;
use autoneural_engines::engine::Engine;
use autoneural_front::{Component, Definition};
use autoneural_host::{CHAT_TEMPLATE, Embeddings, HostFacts, SPECIAL_TOKENS, Steps, TOKENIZER, Walk, see};

/// Embeddings of the pictures that were calibrated with, kept for runs that begin with the prompts.
const VISUAL: &str = ".visual.safetensors";

/// Pictures, where the model takes some, then prompts.
pub(crate) fn phases(definition: &Definition) -> Vec<Phase> {
    let of = |parts: &[Component]| parts.iter().map(|part| part.group()).collect();
    let images = Phase { name: "images", groups: of(&[Component::Vision, Component::Projector]) };
    let text = Phase { name: "text", groups: of(&[Component::Language]) };
    definition.sight.iter().map(|_| images.clone()).chain([text]).collect()
}

/// Whether a phase is that of pictures.
pub(crate) fn is_of_images(definition: &Definition, phase: usize) -> bool {
    definition.sight.is_some() && phase == 0
}

/// Adds what a phase reads of the samples and of the bundle to its key.
///
/// # Errors
/// A file of a sample cannot be read.
pub(crate) fn phase_key(
    definition: &Definition,
    phase: usize,
    mut key: Key,
    bundle: &Making,
    recipe: &Recipe,
) -> Result<Key> {
    let samples = &recipe.calibration;
    if is_of_images(definition, phase) {
        for sample in samples {
            key = and_images(key.setting("images", &sample.images.len()), bundle, recipe, sample)?;
        }
        return Ok(key);
    }
    let (use_template, visual) = (use_template(samples), format!("calibration/{VISUAL}"));
    key = bundle.key(key, |path| {
        path == visual
            || use_template && (path.ends_with(CHAT_TEMPLATE) || path.ends_with(SPECIAL_TOKENS))
            || path.ends_with(TOKENIZER)
            || path.ends_with(HostFacts::FILE)
            || path.strip_prefix("model/") == Some(Embeddings::FILE)
    })?;
    let key = key.setting("steps", &recipe.steps());
    samples.iter().try_fold(key, |key, sample| and_words(key, bundle, sample))
}

/// Runs the pictures of all samples, and keeps their embeddings in a file in `folder`.
///
/// # Errors
/// A picture cannot be read, an engine cannot be loaded or fails, or the file cannot be written.
pub(crate) fn images<'a>(
    definition: &'a Definition,
    run: &Run<'a>,
    load: Box<LoadAny<'a>>,
    folder: &Path,
) -> Result<StatisticsTable> {
    let samples = &run.recipe.calibration;
    let count = samples.iter().map(|sample| sample.images.len()).sum::<usize>();
    run.progress.start("calibrate images", count as u64);
    let mut steps = Steps::new(definition, run.partitions, None, load);
    let visual = see(&mut steps, run.recipe, samples, run.progress, &mut |_| Ok(()))?;
    drop(steps);
    run.progress.finish();
    write_visual(&folder.join(VISUAL), &visual)?;
    Ok(StatisticsTable::default())
}

/// Runs the prompts of all samples, with the embeddings of their pictures.
///
/// # Errors
/// The file of the pictures' embeddings or a file of the host is unreadable, a prompt cannot be made, or an engine
/// cannot be loaded or fails.
pub(crate) fn text<'a>(
    definition: &'a Definition,
    run: &Run<'a>,
    load: Box<LoadAny<'a>>,
    earlier: &dyn Fn(&str) -> Result<Vec<u8>>,
) -> Result<StatisticsTable> {
    let (bundle, recipe, progress) = (run.bundle, run.recipe, run.progress);
    let samples = &recipe.calibration;
    let visual = match definition.sight {
        Some(_) => read_visual(&earlier(VISUAL)?, Path::new(VISUAL))?,
        None => vec![vec![]; samples.len()],
    };
    let mut walk = Walk::new(definition, run.partitions, &bundle.host_folder()?, load)?;
    let prompts = walk.prompts(recipe, samples)?;
    progress.start("calibrate text", Walk::<Box<dyn Engine>>::text_steps(samples));
    walk.read(recipe, samples, &prompts, &visual, progress, &mut |_| Ok(()))?;
    progress.finish();
    let [min, max] = walk.embeddings().range();
    let mut table = StatisticsTable::default();
    // Any token may be looked up later, not only those of the samples.
    let whole_table = Statistics { min, max, count: 1, non_finite: 0, runs: 0, settled: 0, chosen: None };
    table.add(&Component::Language.group(), "embeds", whole_table);
    Ok(table)
}

/// Joins the files of embeddings that shards of the samples left in these folders, in order, in one file in `folder`.
///
/// # Errors
/// A file that is damaged, or cannot be written.
pub(crate) fn join_images(shards: &[PathBuf], folder: &Path) -> Result<()> {
    let mut all = Vec::new();
    for shard in shards {
        let path = shard.join(VISUAL);
        all.extend(read_visual(&files::read(files::open(&path)?, &path, u64::MAX)?, &path)?);
    }
    write_visual(&folder.join(VISUAL), &all)
}

fn write_visual(path: &Path, visual: &[Vec<f32>]) -> Result<()> {
    let bytes: Vec<Vec<u8>> = visual.iter().map(|values| le_bytes(values)).collect();
    let failed = |error: SafeTensorError| Error::internal(path.display(), error);
    let mut tensors = Vec::new();
    for (number, (bytes, values)) in bytes.iter().zip(visual).enumerate().filter(|(_, (bytes, _))| !bytes.is_empty()) {
        let view = TensorView::new(Dtype::F32, vec![values.len()], bytes).map_err(failed)?;
        tensors.push((format!("{number:05}"), view));
    }
    let count = HashMap::from([("samples".to_string(), visual.len().to_string())]);
    let made = safetensors::serialize(tensors, Some(count)).map_err(failed)?;
    files::write(path, &made)
}

fn read_visual(bytes: &[u8], path: &Path) -> Result<Vec<Vec<f32>>> {
    let failed = |error: SafeTensorError| Error::internal(path.display(), error);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(failed)?;
    let count = header.metadata().as_ref().and_then(|texts| texts.get("samples")?.parse().ok()).unwrap_or(0);
    let tensors = SafeTensors::deserialize(bytes).map_err(failed)?;
    let values = |number: usize| match tensors.tensor(&format!("{number:05}")) {
        Ok(tensor) => {
            let (chunks, _) = tensor.data().as_chunks::<4>();
            chunks.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect()
        }
        // A sample without pictures.
        Err(_) => vec![],
    };
    Ok((0..count).map(values).collect())
}
