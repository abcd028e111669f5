//! Samples of a recipe: what units depend on of them, and what a report says of their images.

use std::path::{Path, PathBuf};

use crate::drivers::{PromptCounts, PromptsReport};
use autoneural_base::error::{Error, Result};
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, InputRecord, Key, Making, RECIPE, hash_bytes, short};
use autoneural_core::doubts::{Flat, Look, Shown};
use autoneural_core::recipe::{Recipe, Sample, Words};
use autoneural_front::Definition;
use autoneural_host::{CHAT_TEMPLATE, load_square};

/// Refuses samples that are arrays, pictures for a model that takes none, and a list without a picture for one that
/// does.
///
/// # Errors
/// Names the sample, or the list.
pub(crate) fn refuse_unfit(definition: &Definition, recipe: &Recipe) -> Result<()> {
    let takes_pictures = definition.sight.is_some();
    for (list, samples) in [("calibration", &recipe.calibration), ("verification", &recipe.verification)] {
        if let Some(sample) = samples.iter().find(|sample| sample.arrays().is_some()) {
            return Err(Error::input(&sample.place, "is a file of tensors; this model takes pictures and words")
                .help("write the sample with `image` and `prompt`"));
        }
        let with_picture = samples.iter().find(|sample| !sample.images.is_empty());
        match with_picture {
            Some(sample) if !takes_pictures => {
                return Err(Error::input(&sample.place, "shows a picture; the model has no vision encoder")
                    .help("leave pictures out"));
            }
            None if takes_pictures => {
                let place = format!("{}: {list}", recipe.path().display());
                return Err(Error::input(place, "at least one sample with an image is wanted"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Contents of a file as a SHA-256; one that is not there is the sample's error.
fn hash_file(bundle: &Making, path: &Path, sample: &Sample) -> Result<String> {
    bundle.hash_input(path).map_err(|error| error.within(&sample.place))
}

/// Adds the contents of a sample's images to a key.
///
/// # Errors
/// An image cannot be read.
pub(crate) fn and_images(key: Key, bundle: &Making, recipe: &Recipe, sample: &Sample) -> Result<Key> {
    let mut paths = recipe.image_paths(sample).into_iter();
    paths.try_fold(key, |key, path| Ok(key.and("image", hash_file(bundle, &path, sample)?)))
}

/// Adds what a sample asks to a key.
///
/// # Errors
/// A text file cannot be read.
pub(crate) fn and_words(key: Key, bundle: &Making, sample: &Sample) -> Result<Key> {
    Ok(match sample.words() {
        Words::Text(text) => key.setting("sample", &(text, sample.images.len(), sample.tokens)),
        Words::Conversation(said) => key.setting("conversation", &(said, &sample.answer)),
        Words::Window(window) => {
            let hash = hash_file(bundle, &sample.beside(window.file), sample)?;
            key.setting("window", &(window.tokens, window.number)).and("text", hash)
        }
    })
}

/// What each sample shows: its pictures as the vision encoder gets them, and its words.
///
/// # Errors
/// A picture cannot be read.
pub(crate) fn looks(definition: &Definition, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<Look>> {
    let look = |sample: &Sample| {
        let mut shown = Vec::new();
        for (path, name) in recipe.image_paths(sample).iter().zip(&sample.images) {
            let pixels = definition.seeing().and_then(|vision| load_square(path, vision));
            let pixels = pixels.map_err(|error| error.within(&sample.place))?;
            let is_one = pixels.chunks(3).all(|pixel| *pixel == pixels[..3]);
            let is_black = pixels.first().is_some_and(|code| *code == 0) && pixels.iter().all(|code| *code == 0);
            let flat = is_one.then_some(if is_black { Flat::Zero } else { Flat::Even });
            shown.push(Shown { input: name.display().to_string(), digest: short(&hash_bytes(&pixels)), flat });
        }
        let words = match sample.words() {
            Words::Text(text) => format!("{:?}", (text, sample.tokens)),
            Words::Conversation(said) => format!("{:?}", (said, &sample.answer)),
            Words::Window(window) => format!("{:?}", (window.file, window.tokens, window.number)),
        };
        Ok(Look { shown, words: Some(short(&hash_bytes(words.as_bytes()))) })
    };
    samples.iter().map(look).collect()
}

/// Whether a chat template has a part in what these samples ask.
pub(crate) fn use_template(samples: &[Sample]) -> bool {
    samples.iter().any(|sample| !sample.is_raw())
}

/// Warnings about prompts that bypass the chat template without saying so: those of a recipe of schema 1.
pub(crate) fn warn_of_raw(bundle: &Bundle, recipe: &Recipe, list: &str, stage: &str) -> Vec<Warning> {
    if !recipe.knows_no_conversations() || !bundle.has_file(&format!("model/{CHAT_TEMPLATE}")) {
        return vec![];
    }
    let place = format!("{}: {list}", recipe.file_name());
    let count = if list == "calibration" { recipe.calibration.len() } else { recipe.verification.len() };
    let message = format!(
        "{count} prompts bypass the chat template: schema 1 takes a prompt as raw text, and not as `run` asks it"
    );
    let help = "set `schema = 2`, where a `prompt` is a user's question that goes through the template, and what \
             should stay raw is `text`";
    vec![Warning::new(stage, place, message).help(help)]
}

/// How the prompts behind a report were made.
///
/// # Errors
/// The bundle's copy of the calibration's recipe cannot be read.
pub(crate) fn prompts(bundle: &Bundle, recipe: &Recipe) -> Result<PromptsReport> {
    let has_template = bundle.has_file(&format!("model/{CHAT_TEMPLATE}"));
    let count = |samples: &[Sample]| {
        let raw = samples.iter().filter(|sample| sample.is_raw()).count();
        let others = samples.len() - raw;
        let (template, no_template) = if has_template { (others, 0) } else { (0, others) };
        PromptCounts { template, no_template, raw }
    };
    let calibrated = Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?;
    Ok(PromptsReport { calibration: count(&calibrated.calibration), verification: count(&recipe.verification) })
}

/// The files of samples, as the recipe names them, each once.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn files(bundle: &Making, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<InputRecord>> {
    let mut made: Vec<InputRecord> = Vec::new();
    for sample in samples {
        let images = sample.images.iter().map(PathBuf::as_path).zip(recipe.image_paths(sample));
        let others = sample.files().into_iter().map(|file| (file, sample.beside(file)));
        for (name, path) in images.chain(others) {
            let path_text = name.display().to_string();
            if made.iter().all(|record| record.path != path_text) {
                made.push(InputRecord { path: path_text, sha256: hash_file(bundle, &path, sample)? });
            }
        }
    }
    Ok(made)
}
