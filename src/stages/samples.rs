//! Samples of a recipe: what units depend on of them, and what a report says of their images.

use std::path::Path;

use crate::back::bundle::{Bundle, InputRecord, Key};
use crate::error::Result;
use crate::recipe::{Recipe, Sample};

/// Contents of a picture as a SHA-256; a picture that is not there is the sample's error.
fn hash_image(bundle: &Bundle, path: &Path, sample: &Sample) -> Result<String> {
    bundle.hash_input(path).map_err(|error| error.within(&sample.place))
}

/// Adds the contents of a sample's images to a key.
pub fn and_images(key: Key, bundle: &Bundle, recipe: &Recipe, sample: &Sample) -> Result<Key> {
    let mut paths = recipe.image_paths(sample).into_iter();
    paths.try_fold(key, |key, path| Ok(key.and("image", hash_image(bundle, &path, sample)?)))
}

/// Adds prompts and the contents of images to a key.
pub fn and_samples(mut key: Key, bundle: &Bundle, recipe: &Recipe, samples: &[Sample]) -> Result<Key> {
    for sample in samples {
        key = key.setting("sample", &(&sample.prompt, sample.images.len(), sample.tokens));
        key = and_images(key, bundle, recipe, sample)?;
    }
    Ok(key)
}

/// The images of samples, as the recipe names them, each once.
pub fn images(bundle: &Bundle, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<InputRecord>> {
    let mut made: Vec<InputRecord> = Vec::new();
    for sample in samples {
        for (image, path) in sample.images.iter().zip(recipe.image_paths(sample)) {
            let path_text = image.display().to_string();
            if made.iter().all(|record| record.path != path_text) {
                made.push(InputRecord { path: path_text, sha256: hash_image(bundle, &path, sample)? });
            }
        }
    }
    Ok(made)
}
