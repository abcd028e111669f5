//! Samples in what a user names that is no recipe.

use std::path::{Path, PathBuf};

use super::entry::{Entry, Found, KINDS, Sort, entries_of};
use super::folder::in_folder;
use super::list::in_list;
use crate::drivers::Intake;
use crate::drivers::tensors::end_of;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_core::recipe::{Arrays, Origin, Recipe, Sample};

/// Finds the samples in a folder, a list or a file.
///
/// # Errors
/// Nothing that samples are read from, or of which the inputs could not be made.
pub(crate) fn find(path: &Path, intakes: &[Intake]) -> Result<Found> {
    let meta = std::fs::metadata(path).reading(path)?;
    if meta.is_dir() {
        return in_folder(path, intakes);
    }
    match end_of(path).as_str() {
        "txt" => return in_list(path, intakes),
        "toml" => return in_recipe(path),
        _ => {}
    }
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let origin = Origin::beside(path);
    let Some(sort) = Sort::of(path) else {
        return Err(Error::input(path.display(), "is no kind of file that samples are read from").help(KINDS));
    };
    let entries = entries_of(sort, &origin.folder, &name, intakes)?;
    Ok(Found { origin, entries, left_out: vec![] })
}

/// The samples of a recipe that judge.
fn in_recipe(path: &Path) -> Result<Found> {
    let recipe = Recipe::read(path)?;
    let entry = |sample: &Sample| match sample.arrays() {
        Some(Arrays::File(file, row)) => Ok(Entry::Stacked(file.to_path_buf(), row)),
        Some(Arrays::Each(files)) => Ok(Entry::Each(files.clone())),
        None => Err(Error::input(&sample.place, "asks with words, and the model takes arrays")
            .help("write the sample as `tensors = \"FILE\"` or `inputs = { INPUT = \"FILE\" }`")),
    };
    let entries = recipe.verification.iter().map(entry).collect::<Result<_>>()?;
    Ok(Found { origin: Origin::beside(path), entries, left_out: vec![] })
}

/// At most so many of a list, evenly spread.
pub(crate) fn spread<T>(all: &[T], most: usize) -> Vec<&T> {
    let taken = most.min(all.len());
    (0..taken).map(|at| &all[at * all.len() / taken]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_taken_evenly() {
        let all: Vec<usize> = (0..100).collect();
        assert_eq!(spread(&all, 4), [&0, &25, &50, &75]);
        assert_eq!(spread(&all[..3], 16), [&0, &1, &2]);
        assert!(spread(&all[..0], 16).is_empty());
    }
}
