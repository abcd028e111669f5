//! Samples of plain graphs: from what a recipe names to arrays, one sample at a time.

use std::collections::BTreeMap;
use std::path::Path;

use super::arrays::{Arrays, Wanted, part};
use super::names::Names;
use crate::arrays::{ENDS, LABELS, open, raw};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::ElementType;
use autoneural_core::recipe::{self, Preprocess, Recipe, Sample};
use autoneural_host::load_input;

/// What files with raw numbers end with.
pub const RAW: [&str; 2] = ["raw", "bin"];
/// What pictures end with.
pub const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];

/// What a file's name ends with, in small letters.
pub fn end_of(path: &Path) -> String {
    path.extension().map_or_else(String::new, |end| end.to_string_lossy().to_lowercase())
}

/// What a sample is read from.
///
/// # Errors
/// The sample is none of arrays.
pub(crate) fn arrays_of(sample: &Sample) -> Result<recipe::Arrays<'_>> {
    sample.arrays().ok_or_else(|| {
        Error::input("", "is no file of tensors, which is what this model takes").help(
            "write the sample as `tensors = \"FILE.safetensors\"` with one array for each input, or as \
             `inputs = { INPUT = \"FILE\" }`",
        )
    })
}

/// Reads a sample; what it does not say of pictures is guessed.
///
/// # Errors
/// A file that cannot be read, an array that is no input or does not fit it.
pub(crate) fn read(names: &Names, recipe: &Recipe, sample: &Sample) -> Result<Arrays> {
    match arrays_of(sample)? {
        recipe::Arrays::File(path, row) => {
            let path = sample.beside(path);
            let (mut file, mut tensors) = (open(&path)?, BTreeMap::new());
            let is_label = |name: &str| name == LABELS && names.input(name, "").is_err();
            let all: Vec<String> = file.abouts().keys().filter(|name| !is_label(name)).cloned().collect();
            for name in &all {
                let place = place_of(&path, name);
                let (whole, wanted) = match (names.open_inputs().as_slice(), all.len()) {
                    // With one of each there is nothing to tell apart.
                    ([only], 1) if is_unnamed(name) => only.clone(),
                    _ => names.input(name, &place)?,
                };
                tensors.insert(whole, part(&mut *file, (name, &place), row, &wanted)?);
            }
            Ok(Arrays { place: path.display().to_string(), tensors })
        }
        recipe::Arrays::Each(files) => {
            let mut tensors = BTreeMap::new();
            for (name, path) in files {
                let path = sample.beside(path);
                let (whole, wanted) = names.input(name, &format!("`{name}`"))?;
                let place = place_of(&path, name);
                let end = end_of(&path);
                let tensor = match end.as_str() {
                    end if RAW.contains(&end) => raw(&path, wanted.shape, wanted.element, &place)?,
                    end if PICTURES.contains(&end) => {
                        let preprocess = preprocess(recipe, &whole, &wanted)
                            .ok_or_else(|| takes_no_pictures(&path.display().to_string(), name, &wanted))?;
                        load_input(&path, &preprocess, wanted.shape)?
                    }
                    end if ENDS.contains(&end) => {
                        let mut file = open(&path)?;
                        let all: Vec<String> = file.abouts().keys().cloned().collect();
                        let [only] = all.as_slice() else {
                            let message = format!("holds {} arrays, for one input", all.len());
                            return Err(Error::input(&place, message)
                                .help("name a file with all inputs as `tensors = \"FILE\"`"));
                        };
                        part(&mut *file, (only, &place), None, &wanted)?
                    }
                    _ => {
                        return Err(Error::input(path.display(), "is no kind of file that an input is read from")
                            .help("pictures (.png, .jpg), .npy, .npz, .safetensors and .raw are"));
                    }
                };
                tensors.insert(whole, tensor);
            }
            let place = sample.title().to_string();
            Ok(Arrays { place, tensors })
        }
    }
}

/// Whether NumPy gave an array this name, because it had none.
fn is_unnamed(name: &str) -> bool {
    name.is_empty() || name == "arr_0"
}

fn place_of(path: &Path, name: &str) -> String {
    match name {
        "" => path.display().to_string(),
        name => format!("{}: `{name}`", path.display()),
    }
}

fn takes_no_pictures(place: &str, name: &str, wanted: &Wanted) -> Error {
    let message = format!("is a picture; `{name}` takes {:?}, of which no picture is made", wanted.shape);
    Error::input(place, message)
        .help("pictures become float inputs [1, C, rows, columns] or [1, rows, columns, C], with 1 or 3 channels")
}

/// How pictures become an input: what the recipe says of it by its whole name or that in its graph, or what is guessed.
/// `None` if it takes no pictures.
pub(crate) fn preprocess(recipe: &Recipe, whole: &str, wanted: &Wanted) -> Option<Preprocess> {
    if wanted.element != ElementType::F32 {
        return None;
    }
    let alone = whole.split_once('/').map_or(whole, |(_, name)| name);
    let stated = recipe.preprocess.get(whole).or_else(|| recipe.preprocess.get(alone));
    stated.cloned().or_else(|| Preprocess::guess(wanted.shape))
}

/// What a recipe says of pictures, for the keys of samples that have some.
pub(crate) fn pictures_key(recipe: &Recipe, sample: &Sample) -> Option<String> {
    let has_some = sample.files().iter().any(|path| PICTURES.contains(&end_of(path).as_str()));
    has_some.then(|| format!("{:?}", recipe.preprocess))
}
