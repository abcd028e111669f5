//! Folders and files beside a bundle: hidden names, links, and the exchange of an old bundle for a new one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::file_record::FileRecord;
use super::lock::Lock;
use super::paths::{EVALUATION, LEDGER, MANIFEST};
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::Folder;
use autoneural_base::folder::{self, remove};

/// End of the name of the folder in which a stage works on a bundle.
pub(crate) const STAGE: &str = "stage";
/// End of the name of the folder in which a bundle is made, and goes on being made after a run that ended early.
pub(crate) const WORK: &str = "work";
/// End of the name of a bundle whose place another one has taken.
const REPLACED: &str = "replaced";
/// A hidden path beside a bundle, for a purpose `what`.
///
/// # Errors
/// The bundle's path has no file name.
pub(crate) fn beside(destination: &Path, what: &str) -> Result<PathBuf> {
    let Some(name) = destination.file_name() else {
        return Err(Error::input(destination.display(), "is no name for a bundle"));
    };
    let hidden = [OsStr::new("."), name, OsStr::new("."), OsStr::new(what)];
    Ok(destination.with_file_name(hidden.into_iter().collect::<OsString>()))
}

/// Removes files that are not part of the bundle, and then folders that are empty.
///
/// # Errors
/// A folder cannot be read, or a file cannot be removed.
pub(crate) fn remove_strays(root: &Path, folder: &Path, files: &BTreeMap<String, FileRecord>) -> Result<()> {
    walk(root, folder, &mut |name, path| {
        let is_ours = files.contains_key(&name) || name == LEDGER;
        if is_ours { Ok(()) } else { remove(path) }
    })?;
    remove_empty(root);
    Ok(())
}

/// Removes folders below `folder` that hold nothing.
fn remove_empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
            // Fails where there is something in it.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}

/// Visits every file below `folder`, with its path relative to `root`.
///
/// # Errors
/// A folder cannot be read, or `visit` fails.
pub(crate) fn walk(root: &Path, folder: &Path, visit: &mut dyn FnMut(String, &Path) -> Result<()>) -> Result<()> {
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.is_dir() && !path.is_symlink() {
            walk(root, &path, visit)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            visit(name.to_string_lossy().into_owned(), &path)?;
        }
    }
    Ok(())
}

/// Makes the folder that a file is to be in, and those above it, if they are missing.
///
/// # Errors
/// A folder cannot be made.
pub(crate) fn make_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).at(parent)
}

/// Gives a file a second name (a hard link), or copies it if the file system has no links. Files of bundles are
/// replaced and never written into, so that a change through one name never shows through the other.
///
/// # Errors
/// The file cannot be read, linked or written.
pub(crate) fn link(from: &Folder, relative: &str, to: &Path) -> Result<()> {
    make_parent(to)?;
    from.link(relative, to)
}

/// Opens a folder to make a bundle in, or makes a new one. What is in it and is neither a file nor a folder is removed.
///
/// # Errors
/// The folder cannot be made, read or cleaned.
pub(crate) fn workplace(root: &Path) -> Result<Folder> {
    if root.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
        remove(root)?;
    }
    if root.symlink_metadata().is_err() {
        std::fs::create_dir(root).at(root)?;
    }
    walk(root, root, &mut |_, path| {
        let is_file = path.symlink_metadata().at(path)?.is_file();
        if is_file { Ok(()) } else { remove(path) }
    })?;
    Folder::open(root)
}

/// Does what [`put_back`] does, unless another run works on the bundle. Errors are ignored, so that commands which only
/// read do not fail.
pub(crate) fn tidy(out: &Path) {
    let left = |what: &str| beside(out, what).is_ok_and(|path| path.symlink_metadata().is_ok());
    if (left(REPLACED) || left(STAGE) || is_replaced(out))
        && let Ok(path) = beside(out, "lock")
        && let Ok(_lock) = Lock::take(&path, out)
    {
        let _ = put_back(out);
    }
}

/// Restores a bundle that a run had moved aside when it was killed, before the new bundle was in place, and removes
/// what else that run left and no later run can use. The caller must hold the lock of the bundle.
///
/// # Errors
/// Something cannot be moved or removed.
pub(crate) fn put_back(out: &Path) -> Result<()> {
    remove(&beside(out, STAGE)?)?;
    if is_replaced(out) {
        remove(&beside(out, WORK)?)?;
    }
    let aside = beside(out, REPLACED)?;
    if out.symlink_metadata().is_ok() {
        return remove(&aside);
    }
    if aside.join(MANIFEST).is_file() {
        std::fs::rename(&aside, out).at(out)?;
    }
    Ok(())
}

/// Whether the folder that the bundle was made in holds the old bundle, because a run was killed right after it
/// exchanged the two. Before the exchange, the manifest in that folder is the younger one.
fn is_replaced(out: &Path) -> bool {
    let written = |folder: &Path| folder.join(MANIFEST).symlink_metadata().and_then(|meta| meta.modified());
    match (beside(out, WORK).and_then(|work| written(&work).at(&work)), written(out)) {
        (Ok(in_work), Ok(in_place)) => in_work < in_place,
        _ => false,
    }
}

/// Moves a folder to a place and removes the bundle that was there. The answers of its evaluation are taken over.
///
/// # Errors
/// The folder cannot be moved, or the old bundle cannot be removed.
pub(crate) fn replace(root: &Path, destination: &Path) -> Result<()> {
    let aside = beside(destination, REPLACED)?;
    if !folder::replace(root, destination, &aside)? {
        return Ok(());
    }
    let kept = destination.join(EVALUATION);
    let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    if is_folder(&aside.join(EVALUATION)) && kept.symlink_metadata().is_err() {
        // Not worth failing for: questions would be asked again.
        let _ = std::fs::rename(aside.join(EVALUATION), &kept);
    }
    remove(&aside)
}
