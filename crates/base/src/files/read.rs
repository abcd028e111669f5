//! Files that users name.

use std::fs::{File, FileType, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::{Error, IoContext, Result};

/// Opens a regular file that a user named, through links where there are some. Nothing is waited for.
///
/// # Errors
/// A missing file, or something else than a regular file.
pub fn open(path: &Path) -> Result<File> {
    // Opening a device may do something.
    refuse_irregular(&std::fs::metadata(path).reading(path)?, path)?;
    // Without waiting, should it have become a pipe since.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path).reading(path)?;
    refuse_irregular(&file.metadata().at(path)?, path)?;
    Ok(file)
}

/// Reads what is left of a file if it is no more than `most` bytes, whatever the file system says of its size.
///
/// # Errors
/// An unreadable file, or a larger one.
pub fn read(file: File, path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).at(path)?;
    if bytes.len() as u64 > most {
        return Err(Error::input(path.display(), format!("is larger than {most} bytes, the most that is read")));
    }
    Ok(bytes)
}

/// Refuses what is no regular file.
///
/// # Errors
/// A folder, a pipe, a socket, a device.
pub fn refuse_irregular(meta: &Metadata, path: &Path) -> Result<()> {
    match kind(meta.file_type()) {
        None => Ok(()),
        // The system's own words for it.
        Some("a folder") => Err(std::io::Error::from(rustix::io::Errno::ISDIR)).reading(path),
        Some(kind) => Err(Error::input(path.display(), format!("is {kind}; a regular file is wanted"))),
    }
}

/// What something is that is no regular file.
pub fn kind(file: FileType) -> Option<&'static str> {
    Some(match file {
        _ if file.is_file() => return None,
        _ if file.is_dir() => "a folder",
        _ if file.is_symlink() => "a link",
        _ if file.is_fifo() => "a FIFO",
        _ if file.is_socket() => "a socket",
        _ if file.is_char_device() || file.is_block_device() => "a device",
        _ => "no file",
    })
}
