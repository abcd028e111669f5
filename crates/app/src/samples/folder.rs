//! Samples in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::entry::{Found, KINDS, MOST, Sort, entries_of};
use super::list::in_list;
use crate::drivers::Intake;
use crate::drivers::tensors::end_of;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_core::recipe::Origin;

/// Folders below each other that are looked into.
const DEEPEST: usize = 8;

/// Finds the samples in a folder and those below it, by their names. Where it has one list, that says what they are.
///
/// # Errors
/// No sample, samples of several kinds, several lists.
pub(crate) fn in_folder(path: &Path, intakes: &[Intake]) -> Result<Found> {
    let mut files = Vec::new();
    walk(path, Path::new(""), DEEPEST, &mut files)?;
    files.sort();
    let mut of_kind: BTreeMap<Sort, Vec<PathBuf>> = BTreeMap::new();
    let (mut lists, mut left_out) = (Vec::new(), Vec::new());
    for file in files {
        match Sort::of(&file).filter(|_| file.to_str().is_some()) {
            Some(sort) => of_kind.entry(sort).or_default().push(file),
            None if end_of(&file) == "txt" && file.components().count() == 1 => lists.push(file),
            None => left_out.push(file.display().to_string()),
        }
    }
    // Only raw numbers need somebody who says which input they are of.
    if let (Some(_), [list]) = (of_kind.get(&Sort::Raw), lists.as_slice()) {
        return in_list(&path.join(list), intakes);
    }
    left_out.extend(lists.iter().map(|list| list.display().to_string()));
    let sorts: Vec<(Sort, Vec<PathBuf>)> = of_kind.into_iter().collect();
    match sorts.as_slice() {
        [] => Err(Error::input(path.display(), "holds no sample").help(KINDS)),
        [(sort, files)] => {
            let mut entries = Vec::new();
            for file in files {
                entries.extend(entries_of(*sort, path, file, intakes)?);
                if entries.len() > MOST {
                    break;
                }
            }
            let origin = Origin { place: path.to_path_buf(), folder: path.to_path_buf() };
            Ok(Found { origin, entries, left_out })
        }
        several => {
            let said = several.iter().map(|(sort, files)| format!("{} (`{}`)", sort.words(), files[0].display()));
            let said: Vec<String> = said.collect();
            Err(Error::input(path.display(), format!("holds {}", said.join(" and ")))
                .help("name a folder with samples of one kind, or name them in a list"))
        }
    }
}

/// Files in a folder and below it, by their paths in it. Hidden ones are not looked at.
fn walk(root: &Path, below: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let folder = root.join(below);
    for entry in std::fs::read_dir(&folder).reading(&folder)? {
        let entry = entry.at(&folder)?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let path = below.join(&name);
        // A link to a file is followed, one to a folder is not: it may lead in a circle.
        let kind = entry.file_type().at(&folder)?;
        match kind.is_dir() {
            true if depth > 0 => walk(root, &path, depth - 1, files)?,
            true => {}
            false if root.join(&path).is_file() => files.push(path),
            false => {}
        }
        if files.len() > MOST {
            return Err(Error::input(root.display(), format!("holds more than {MOST} files"))
                .help("name the samples in a list"));
        }
    }
    Ok(())
}
