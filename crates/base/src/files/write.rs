//! Writing: new files, and files in place of others.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::create::{create, parent};
use super::folder::Folder;
use crate::error::{Error, IoContext, Result};

/// Writes a file that is not there yet, in a folder that nobody looks at before it is whole; [`flush`] brings it to the
/// disk.
///
/// # Errors
/// As for [`create`], and what the operating system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    create(path)?.write_all(bytes).at(path)
}

/// Writes a file in place of what has this name, which stays until the new one is on the disk. A link is replaced, not
/// followed.
///
/// # Errors
/// The operating system refuses; then the old file is still there.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let Some(name) = path.file_name() else {
        return Err(Error::input(path.display(), "is no name for a file"));
    };
    Folder::open(parent(path))?.replace(name, bytes)
}

/// Brings a folder and all that is in it to the disk: files first, then the folders that name them.
///
/// # Errors
/// The disk does not take it.
pub fn flush(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).at(folder)? {
        let entry = entry.at(folder)?;
        let (kind, path) = (entry.file_type().at(folder)?, entry.path());
        if kind.is_dir() {
            flush(&path)?;
        } else if kind.is_file() {
            File::open(&path).and_then(|file| file.sync_all()).at(&path)?;
        }
    }
    File::open(folder).and_then(|file| file.sync_all()).at(folder)
}
