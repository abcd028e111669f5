//! Journals of all slices of a set, taken over into that of the whole set.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::journal::Journal;
use super::slices::{LIST, List, Slices};
use crate::shards::{Share, refuse_gaps};
use autoneural_base::error::{Error, Result};
use autoneural_base::files::Folder;
use autoneural_bundle::Bundle;
use autoneural_engines::engine::EngineKind;

/// The journal of an evaluation, with the answers of the slices that are joined.
///
/// # Errors
/// As for [`Slices::folder`]; slices that are missing, stand twice, or are of something else.
pub(super) fn journal<R: Clone + Serialize + DeserializeOwned>(
    slices: &Slices,
    bundle: &Bundle,
    set: &str,
    kinds: &[EngineKind],
) -> Result<Journal<R>> {
    let journal = Journal::open(slices.folder(bundle, set)?)?;
    let mut found: Vec<(Share, PathBuf)> = Vec::new();
    for path in &slices.joined {
        let none = || {
            Error::input(path.display(), format!("is no slice of an evaluation (it has no {LIST})"))
                .help("`autoneural eval --slice 1/2 --part FOLDER` makes one")
        };
        let folder = Folder::given(path)?;
        if !folder.has(LIST) {
            return Err(none());
        }
        let list = List::read(&folder)?;
        if let Some(difference) = List::new(list.slice, bundle, set)?.difference(&list) {
            return Err(Error::input(path.display(), format!("is of {difference}"))
                .help("evaluate all slices with this bundle, set and program"));
        }
        found.push((list.slice, path.clone()));
    }
    refuse_gaps(&found, "slice", "--join", "name the folders of all slices")?;
    for path in &slices.joined {
        let folder = Folder::given(path)?;
        kinds.iter().try_for_each(|kind| journal.adopt(&folder, *kind))?;
    }
    Ok(journal)
}
