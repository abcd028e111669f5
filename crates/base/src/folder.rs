//! Folders that appear under their name only when they are complete: an unfinished one is beside it under a hidden
//! name.

use std::path::{Path, PathBuf};

use crate::error::{Error, IoContext, Result};
use crate::files;

/// Where a folder is or will be that the user calls `out`: where the link leads that it may be. The last part is a
/// name.
///
/// # Errors
/// Links that lead in a circle; no folder of this name where it is no name, such as `..`.
pub fn place(out: &Path) -> Result<PathBuf> {
    let place = files::target(out)?;
    if place.file_name().is_some() { Ok(place) } else { place.canonicalize().at(out) }
}

/// An unfinished folder, which goes where nobody finishes it.
pub struct Partial(PathBuf);

impl Partial {
    /// A new one beside `out`.
    ///
    /// # Errors
    /// As for [`begin`].
    pub fn begin(out: &Path) -> Result<Self> {
        begin(out).map(Partial)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Moves it to its final place, as [`finish`] does.
    ///
    /// # Errors
    /// As for [`finish`].
    pub fn finish(self, destination: &Path) -> Result<()> {
        finish(&self.0, destination)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Once it is finished there is nothing of this name.
        let _ = remove(&self.0);
    }
}

/// A new hidden folder beside `out` to write to; [`finish`] gives it the name. What killed runs left of it is removed.
///
/// # Errors
/// `out` is no name, or the operating system refuses the folder.
pub fn begin(out: &Path) -> Result<PathBuf> {
    let Some(name) = out.file_name() else {
        return Err(Error::input(out.display(), "is no name for a folder"));
    };
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).at(parent)?;
    sweep(parent, &format!(".{}.partial-", name.to_string_lossy()));
    new_folder(parent, &format!(".{}.partial-{}", name.to_string_lossy(), std::process::id()))
}

/// Moves a finished folder to its final place once all of it is on the disk, and removes what was there before.
///
/// # Errors
/// The folder cannot be written to the disk or moved, or what was there before cannot be removed.
pub fn finish(made: &Path, destination: &Path) -> Result<()> {
    files::flush(made)?;
    let aside = made.with_extension("replaced");
    if replace(made, destination, &aside)? { remove(&aside) } else { Ok(()) }
}

/// Moves a folder to a place, in one step if the file system can exchange two names. What was there before is moved to
/// `aside`. Returns whether there was something. Afterwards the names are on the disk.
///
/// # Errors
/// One of the folders cannot be moved, or the names cannot be written to the disk.
pub fn replace(made: &Path, destination: &Path, aside: &Path) -> Result<bool> {
    let was_there = exchange(made, destination, aside)?;
    let parent = destination.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files::Folder::open(parent)?.flush()?;
    Ok(was_there)
}

fn exchange(made: &Path, destination: &Path, aside: &Path) -> Result<bool> {
    if destination.symlink_metadata().is_err() {
        return std::fs::rename(made, destination).at(destination).map(|()| false);
    }
    // What another run left when it was killed; what is at the destination is newer.
    remove(aside)?;
    let here = rustix::fs::CWD;
    if rustix::fs::renameat_with(here, made, here, destination, rustix::fs::RenameFlags::EXCHANGE).is_ok() {
        return std::fs::rename(made, aside).at(made).map(|()| true);
    }
    std::fs::rename(destination, aside).at(destination)?;
    let moved = std::fs::rename(made, destination).at(destination);
    if moved.is_err() {
        std::fs::rename(aside, destination).at(destination)?;
    }
    moved.map(|()| true)
}

/// Removes what runs that were killed left of this folder; a folder whose process still lives is let be.
fn sweep(parent: &Path, start: &str) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(start).map(|rest| rest.split(['-', '.']).next().unwrap_or(rest));
        if process.is_some_and(|id| id.parse::<u32>().is_ok() && !Path::new("/proc").join(id).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Creates a folder of this name, or, where a run that was killed left one, of this name and a number.
fn new_folder(parent: &Path, name: &str) -> Result<PathBuf> {
    let mut path = parent.join(name);
    for number in 1u32.. {
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                path = parent.join(format!("{name}-{number}"));
            }
            result => return result.at(&path).map(|()| path),
        }
    }
    Err(Error::internal(path.display(), "no free name is left"))
}

/// Removes a file or a folder with all that is in it, if there is one.
///
/// # Errors
/// The system refuses to remove it.
pub fn remove(path: &Path) -> Result<()> {
    let result = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => Ok(()),
    };
    result.at(path)
}
