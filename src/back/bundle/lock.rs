//! Locks: one run at a time makes the bundle of a name.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, IoContext, Result};

/// A lock file that is held. The system lets go of it when the process ends, however that comes.
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock at `path`; `bundle` is what is locked, for the message.
    ///
    /// # Errors
    /// Another run holds it.
    pub fn take(path: &Path, bundle: &Path) -> Result<Self> {
        loop {
            let file = File::options().create(true).read(true).write(true).truncate(false).open(path).at(path)?;
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
            if std::fs::metadata(path).is_ok_and(|meta| meta.ino() == ours) {
                let mut lock = Lock { path: path.to_path_buf(), file };
                lock.file.set_len(0).at(path)?;
                writeln!(lock.file, "{}", std::process::id()).at(path)?;
                return Ok(lock);
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
