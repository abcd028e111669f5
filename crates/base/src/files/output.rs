//! Files that a user wants a result written to.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::create::parent;
use super::folder::Folder;
use crate::error::{Error, IoContext, Result};

/// Most links that lead on to each other; the same as the system's.
const MOST_LINKS: usize = 40;

/// Writes a result to where the user wants it. A regular file is replaced when the new one is whole, where its link
/// leads if it is one; what is no regular file, such as a pipe or a device, is written into.
///
/// # Errors
/// A link that leads to itself, or what the operating system refuses, such as a folder.
pub fn output(path: &Path, bytes: &[u8]) -> Result<()> {
    let found = std::fs::metadata(path).ok();
    if found.is_some() && descriptor(path).is_some() {
        // An open file of this process, say a redirected one: what is there is not ours to replace.
        let mut file = File::options().append(true).open(path).at(path)?;
        return file.write_all(bytes).at(path);
    }
    if found.as_ref().is_some_and(|meta| !meta.is_file()) {
        // Waiting for a reader is what a pipe is for.
        let mut file = File::options().write(true).open(path).at(path)?;
        return file.write_all(bytes).and_then(|()| file.flush()).at(path);
    }
    let place = target(path)?;
    let Some(name) = place.file_name() else {
        return Err(Error::input(path.display(), "is no name for a file"));
    };
    let write = |file: &mut File| {
        // Whoever might read the old one may read the new one; running as its owner is not taken over.
        let rights = found.map(|meta| Permissions::from_mode(meta.permissions().mode() & 0o777));
        rights.map_or(Ok(()), |rights| file.set_permissions(rights)).and_then(|()| file.write_all(bytes))
    };
    let replaced = Folder::open(parent(&place)).and_then(|folder| folder.replace_by(name, 0o666, write));
    // The user knows the name that was given.
    replaced.map_err(|error| Error { place: path.display().to_string(), ..error })
}

/// What a name stands for: where its link leads, whether or not something is there yet. Without a slash at the end.
///
/// # Errors
/// Links that lead in a circle.
pub fn target(path: &Path) -> Result<PathBuf> {
    let mut place: PathBuf = path.components().collect();
    for _ in 0..MOST_LINKS {
        match place.read_link() {
            Ok(to) => place = parent(&place).join(to).components().collect(),
            Err(_) => return Ok(place),
        }
    }
    Err(Error::input(path.display(), "is a link that leads in a circle"))
}

/// The number of the process's own open file that a path such as `/dev/stdout` or `/dev/fd/1` names.
pub fn descriptor(path: &Path) -> Option<i32> {
    let own = [format!("/proc/{}/fd", std::process::id()), "/proc/self/fd".into(), "/dev/fd".into()];
    let mut place = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let folder = parent(&place).canonicalize().ok()?;
        if own.iter().any(|own| *own == *folder.to_string_lossy()) {
            return place.file_name()?.to_str()?.parse().ok();
        }
        place = folder.join(place.read_link().ok()?);
    }
    None
}
