//! Calibrate: samples become statistics, and what else methods ask for. In two units, of which the second waits for nothing but
//! the first: pictures, then prompts; what does not fit into memory at once takes more of each.

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::memory::{for_evidence, refuse_too_large};
use super::samples::{and_images, and_words, images, use_template, warn_of_raw};
use crate::back::bundle::{Bundle, IMAGE_STATISTICS, IMAGES, Key, RECIPE, STATISTICS, Stage, VISUAL, write_json};
use crate::back::evidence;
use crate::error::{Error, IoContext, Result};
use crate::evidence::{Ask, Collection, Plan, Want, sites};
use crate::files;
use crate::front::{Checkpoint, DefinitionFile, WeightsPlace};
use crate::host::{
    Asking, BESIDE_TOKENIZER, CHAT_TEMPLATE, Chat, Found, HostFacts, SPECIAL_TOKENS, Specials, TOKENIZER, Tokenizer,
    find_template, load_image,
};
use crate::ir::le_bytes;
use crate::partition::{Component, Partition};
use crate::progress::{Progress, Silent};
use crate::quantize::asks;
use crate::recipe::{Recipe, Sample};

/// Folder of everything that calibration makes.
const FOLDER: &str = "calibration";

/// Reads all samples of a recipe and decodes their images, so that a wrong one is told before hours of work and not after.
///
/// # Errors
/// A definition, recipe, tokenizer, image or prompt that cannot be used, by file and sample.
pub fn check_samples(bundle: &Bundle, file: &DefinitionFile, weights: &[WeightsPlace], recipe: &Recipe) -> Result<()> {
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
pub fn calibrate(bundle: &mut Bundle, recipe: &Recipe, progress: &dyn Progress) -> Result<()> {
    refuse_too_large(&bundle.definition()?, &bundle.path("model/definition.toml"))?;
    calibrate_images(bundle, recipe, progress)?;
    calibrate_text(bundle, recipe, progress)?;
    note_samples(bundle, recipe);
    Ok(())
}

/// Notes in the manifest what a person should know of the samples.
pub fn note_samples(bundle: &mut Bundle, recipe: &Recipe) {
    let stage = Stage::Calibrate.name();
    let warnings = warn_of_raw(bundle, recipe, "calibration", &recipe.calibration, stage);
    bundle.manifest.set_warnings(stage, warnings);
}

/// The first half: vision encoder and projector.
pub fn calibrate_images(bundle: &Bundle, recipe: &Recipe, progress: &dyn Progress) -> Result<()> {
    let parts = [Component::Vision, Component::Projector];
    let plan = plan(bundle, &parts, recipe)?;
    let models = |partition: &Partition| bundle.float_model(partition);
    for (pass, asks) in plan.passes.iter().enumerate() {
        let mut key = float_models(bundle, &parts)?.setting("observers", &parts.map(|part| recipe.part(part).observer));
        for sample in &recipe.calibration {
            key = and_images(key.setting("images", &sample.images.len()), bundle, recipe, sample)?;
        }
        bundle.unit(&unit("calibrate/images", pass), FOLDER, and_asks(key, asks), progress, |folder| {
            let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
            let seen = Collection::new(asks.clone());
            let visual = crate::calibrate::images(&definition, &partitions, &models, recipe, &seen, progress)?;
            write_evidence(folder, &seen)?;
            if pass > 0 {
                return Ok(());
            }
            write_json(&seen.statistics(), &folder.join(name_of(IMAGE_STATISTICS)))?;
            write_visual(&folder.join(name_of(VISUAL)), &visual)
        })?;
    }
    Ok(())
}

/// The second half: the language model. The statistics of both halves are then in one file.
pub fn calibrate_text(bundle: &Bundle, recipe: &Recipe, progress: &dyn Progress) -> Result<()> {
    let language = recipe.part(Component::Language);
    let plan = plan(bundle, &[Component::Language], recipe)?;
    let models = |partition: &Partition| bundle.float_model(partition);
    for (pass, asks) in plan.passes.iter().enumerate() {
        let mut key = float_models(bundle, &[Component::Language])?;
        let use_template = use_template(&recipe.calibration);
        key = bundle.key(key, |path| {
            path == VISUAL
                || use_template && (path.ends_with(CHAT_TEMPLATE) || path.ends_with(SPECIAL_TOKENS))
                || path == IMAGE_STATISTICS
                || path.ends_with(TOKENIZER)
                || path.ends_with(HostFacts::FILE)
                || path == "model/embeddings.safetensors"
        })?;
        key = key.setting("observer", &language.observer).setting("steps", &recipe.decode_steps);
        for sample in &recipe.calibration {
            key = and_words(key, sample);
        }
        bundle.unit(&unit("calibrate/text", pass), FOLDER, and_asks(key, asks), progress, |folder| {
            let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
            let visual = read_visual(&bundle.read(VISUAL, u64::MAX)?, &bundle.path(VISUAL))?;
            let (host, seen) = (bundle.host_folder()?, Collection::new(asks.clone()));
            let made =
                crate::calibrate::text(&definition, &partitions, &models, &host, recipe, &visual, &seen, progress)?;
            write_evidence(folder, &seen)?;
            if pass > 0 {
                return Ok(());
            }
            let mut statistics = bundle.image_statistics()?;
            statistics.merge(&made);
            write_json(&statistics, &folder.join(name_of(STATISTICS)))
        })?;
    }
    let images = images(bundle, recipe, &recipe.calibration)?;
    let key = Key::new().setting("images", &images);
    bundle
        .unit("calibrate/hashes", FOLDER, key, &Silent, |folder| write_json(&images, &folder.join(name_of(IMAGES))))?;
    keep_recipe(bundle, recipe)
}

/// Keeps a copy of the recipe, which is what the next stages read where each is a command of its own.
pub fn keep_recipe(bundle: &Bundle, recipe: &Recipe) -> Result<()> {
    let key = Key::new().and("recipe", recipe.text());
    bundle.unit("calibrate/recipe", FOLDER, key, &Silent, |folder| {
        files::write(&folder.join(name_of(RECIPE)), recipe.text().as_bytes())
    })
}

/// In which passes of the samples what is collected that the recipe's observers and rounding methods want of these components.
fn plan(bundle: &Bundle, components: &[Component], recipe: &Recipe) -> Result<Plan> {
    let partitions = bundle.partitions()?;
    let (mut wanted, mut all) = (vec![], vec![]);
    for &component in components {
        let part = recipe.part(component);
        wanted.extend(asks(&partitions, component, part.observer, part.rounding));
        all.extend(sites(&partitions, component));
    }
    Plan::new(wanted, &all, for_evidence())
}

/// Name of the unit of work of a pass.
fn unit(name: &str, pass: usize) -> String {
    if pass == 0 { name.to_string() } else { format!("{name}/{pass}") }
}

/// Adds what is asked for beside ranges, which the observers in the key stand for.
fn and_asks(key: Key, asks: &[Ask]) -> Key {
    let more: Vec<&Ask> = asks.iter().filter(|ask| ask.want != Want::Range).collect();
    if more.is_empty() { key } else { key.setting("evidence", &more) }
}

/// Writes what a pass saw beside ranges.
fn write_evidence(folder: &Path, seen: &Collection) -> Result<()> {
    for (ask, observer) in seen.take()? {
        let path = folder.join(evidence::file(&ask));
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).at(parent)?;
        evidence::write(&path, &ask, &observer)?;
    }
    Ok(())
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A key of the float models of components and of the definition.
fn float_models(bundle: &Bundle, components: &[Component]) -> Result<Key> {
    let is_read = |path: &str| {
        let file = path.strip_prefix("model/").unwrap_or_default();
        file == "definition.toml" || components.iter().any(|component| component.owns(file))
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
