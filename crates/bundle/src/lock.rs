//! Locks: one run at a time makes the bundle of a name.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files;

/// A lock file that is held. The system lets go of it when the process ends, however that comes.
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock at `path`; `bundle` is what is locked, for the message.
    ///
    /// # Errors
    /// Another run holds it. Something else than a lock file is there, such as a link, which is neither followed nor
    /// written.
    pub(crate) fn take(path: &Path, bundle: &Path) -> Result<Self> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let _ = file.take(20).read_to_string(&mut holder);
                    let message = format!("is being made by another run (process {})", holder.trim());
                    return Err(Error::input(bundle.display(), message)
                        .help("wait for it, or choose another folder with --out"));
                }
                Err(TryLockError::Error(error)) => return Err(Error::io(path, &error)),
            }
            // Who held it may have removed the file after we opened it; then the lock is of no file that others see.
            let ours = file.metadata().at(path)?.ino();
            if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.ino() == ours) {
                let mut lock = Lock { path: path.to_path_buf(), file };
                lock.file.set_len(0).at(path)?;
                writeln!(lock.file, "{}", std::process::id()).at(path)?;
                return Ok(lock);
            }
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let mut options = File::options();
    options.create(true).read(true).write(true).truncate(false).custom_flags(flags);
    let found = path.symlink_metadata();
    let refused = |what: &str| {
        let message = format!("{what}, where the file that locks the bundle is wanted");
        Error::input(path.display(), message).help("remove it; no command of autoneural makes one")
    };
    if let Some(kind) = found.ok().and_then(|meta| files::kind(meta.file_type())) {
        return Err(refused(&format!("is {kind}")));
    }
    let file = options.open(path).at(path)?;
    if file.metadata().at(path)?.nlink() > 1 {
        return Err(refused("has another name, too"));
    }
    Ok(file)
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
