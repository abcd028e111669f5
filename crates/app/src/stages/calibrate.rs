//! Calibrate: samples become statistics. In two units, of which the second waits for nothing but the first: pictures, then
//! prompts.

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::memory::refuse_too_large;
use super::samples::{and_images, and_words, images, use_template, warn_of_raw};
use crate::bundle::{IMAGE_STATISTICS, IMAGES, Key, Making, RECIPE, STATISTICS, Stage, VISUAL};
use crate::error::{Error, Result};
use crate::files;
use crate::front::{Checkpoint, Component, DefinitionFile, WeightsPlace};
use crate::host::{
    Asking, BESIDE_TOKENIZER, CHAT_TEMPLATE, Chat, Found, HostFacts, SPECIAL_TOKENS, Specials, TOKENIZER, Tokenizer,
    find_template, load_image,
};
use crate::ir::le_bytes;
use crate::json::write_json;
use crate::partition::Partition;
use crate::program::{Group, groups};
use crate::progress::{Progress, Silent};
use crate::recipe::{Recipe, Sample};

/// Folder of everything that calibration makes.
const FOLDER: &str = "calibration";

/// Reads all samples of a recipe and decodes their images, so that a wrong one is told before hours of work and not after.
///
/// # Errors
/// A definition, recipe, tokenizer, image or prompt that cannot be used, by file and sample.
pub fn check_samples(bundle: &Making, file: &DefinitionFile, weights: &[WeightsPlace], recipe: &Recipe) -> Result<()> {
    let DefinitionFile { text, definition, .. } = file;
    let beside = Checkpoint::open_all(weights)?.beside(definition)?;
    let samples: Vec<&Sample> = recipe.calibration.iter().chain(&recipe.verification).collect();
    let mut key = Key::new().and("definition", text).setting("samples", &(&samples, recipe.decode_steps));
    let words = [TOKENIZER].into_iter().chain(BESIDE_TOKENIZER).map(|name| beside.words.join(name));
    let images = samples.iter().flat_map(|sample| recipe.image_paths(sample));
    // What is not there cannot be a reason to skip the check.
    for path in images.chain(words).filter(|path| path.is_file()) {
        key = key.and(&path.to_string_lossy(), bundle.hash_input(&path)?);
    }
    let Found { template, specials, .. } = find_template(&beside.words_first(), Stage::Calibrate.name())?;
    key = key.setting("template", &(template.as_ref().map(|template| &template.text), &specials));
    bundle.unit("check/samples", "", key, &Silent, |_| {
        let tokenizer = Tokenizer::read(&beside.words, definition)?;
        let texts = Specials { named: specials, ..tokenizer.specials()? };
        let asking = Asking::new(tokenizer, Chat::new(template, texts)?);
        for sample in samples {
            asking.tokens(definition, recipe, sample)?;
            for path in recipe.image_paths(sample) {
                load_image(&path, &definition.vision).map_err(|error| error.within(&sample.place))?;
            }
        }
        Ok(())
    })
}

/// Runs the stage.
pub fn calibrate(bundle: &mut Making, recipe: &Recipe, progress: &dyn Progress) -> Result<()> {
    recipe.refuse_other_groups(&groups(&bundle.partitions()?))?;
    refuse_too_large(&bundle.definition()?, &bundle.path("model/definition.toml"))?;
    calibrate_images(bundle, recipe, progress)?;
    calibrate_text(bundle, recipe, progress)?;
    note_samples(bundle, recipe);
    Ok(())
}

/// Notes in the manifest what a person should know of the samples.
pub fn note_samples(bundle: &mut Making, recipe: &Recipe) {
    let stage = Stage::Calibrate.name();
    let warnings = warn_of_raw(bundle, recipe, "calibration", &recipe.calibration, stage);
    bundle.manifest.set_warnings(stage, warnings);
}

/// The first half: vision encoder and projector.
pub fn calibrate_images(bundle: &Making, recipe: &Recipe, progress: &dyn Progress) -> Result<()> {
    let parts = [Component::Vision, Component::Projector].map(Component::group);
    let observers = parts.iter().map(|part| Ok(recipe.part(part)?.observer)).collect::<Result<Vec<_>>>()?;
    let mut key = float_models(bundle, &parts)?.setting("observers", &observers);
    for sample in &recipe.calibration {
        key = and_images(key.setting("images", &sample.images.len()), bundle, recipe, sample)?;
    }
    bundle.unit("calibrate/images", FOLDER, key, progress, |folder| {
        let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
        let models = |partition: &Partition| bundle.float_model(partition);
        let (statistics, visual) = crate::calibrate::images(&definition, &partitions, &models, recipe, progress)?;
        write_json(&statistics, &folder.join(name_of(IMAGE_STATISTICS)))?;
        write_visual(&folder.join(name_of(VISUAL)), &visual)
    })
}

/// The second half: the language model. The statistics of both halves are then in one file.
pub fn calibrate_text(bundle: &Making, recipe: &Recipe, progress: &dyn Progress) -> Result<()> {
    let language = Component::Language.group();
    let observer = recipe.part(&language)?.observer;
    let mut key = float_models(bundle, &[language])?;
    let use_template = use_template(&recipe.calibration);
    key = bundle.key(key, |path| {
        path == VISUAL
            || use_template && (path.ends_with(CHAT_TEMPLATE) || path.ends_with(SPECIAL_TOKENS))
            || path == IMAGE_STATISTICS
            || path.ends_with(TOKENIZER)
            || path.ends_with(HostFacts::FILE)
            || path == "model/embeddings.safetensors"
    })?;
    key = key.setting("observer", &observer).setting("steps", &recipe.decode_steps);
    for sample in &recipe.calibration {
        key = and_words(key, sample);
    }
    bundle.unit("calibrate/text", FOLDER, key, progress, |folder| {
        let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
        let models = |partition: &Partition| bundle.float_model(partition);
        let visual = read_visual(&bundle.read(VISUAL, u64::MAX)?, &bundle.path(VISUAL))?;
        let host = bundle.host_folder()?;
        let made = crate::calibrate::text(&definition, &partitions, &models, &host, recipe, &visual, progress)?;
        let mut statistics = bundle.image_statistics()?;
        statistics.merge(&made);
        write_json(&statistics, &folder.join(name_of(STATISTICS)))
    })?;
    let images = images(bundle, recipe, &recipe.calibration)?;
    let key = Key::new().setting("images", &images);
    bundle
        .unit("calibrate/hashes", FOLDER, key, &Silent, |folder| write_json(&images, &folder.join(name_of(IMAGES))))?;
    keep_recipe(bundle, recipe)
}

/// Keeps a copy of the recipe, which is what the next stages read where each is a command of its own.
pub fn keep_recipe(bundle: &Making, recipe: &Recipe) -> Result<()> {
    let key = Key::new().and("recipe", recipe.text());
    bundle.unit("calibrate/recipe", FOLDER, key, &Silent, |folder| {
        files::write(&folder.join(name_of(RECIPE)), recipe.text().as_bytes())
    })
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A key of the float models of groups and of the definition.
fn float_models(bundle: &Making, groups: &[Group]) -> Result<Key> {
    let is_read = |path: &str| {
        let file = path.strip_prefix("model/").unwrap_or_default();
        file == "definition.toml" || groups.iter().any(|group| group.owns(file))
    };
    bundle.key(Key::new(), is_read)
}

fn write_visual(path: &Path, visual: &[Vec<f32>]) -> Result<()> {
    let bytes: Vec<Vec<u8>> = visual.iter().map(|values| le_bytes(values)).collect();
    let failed = |error: safetensors::SafeTensorError| Error::internal(path.display(), error);
    let mut tensors = Vec::new();
    for (number, (bytes, values)) in bytes.iter().zip(visual).enumerate().filter(|(_, (bytes, _))| !bytes.is_empty()) {
        let view = TensorView::new(Dtype::F32, vec![values.len()], bytes).map_err(failed)?;
        tensors.push((format!("{number:05}"), view));
    }
    let count = std::collections::HashMap::from([("samples".to_string(), visual.len().to_string())]);
    let made = safetensors::serialize(tensors, Some(count)).map_err(failed)?;
    files::write(path, &made)
}

fn read_visual(bytes: &[u8], path: &Path) -> Result<Vec<Vec<f32>>> {
    let failed = |error: safetensors::SafeTensorError| Error::internal(path.display(), error);
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
