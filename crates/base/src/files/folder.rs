//! Folders whose files are reached without following a link.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::create::create;
use super::read::{read, refuse_irregular};
use crate::error::{Error, IoContext, Result};

/// Flags of every file that is opened here.
const ALWAYS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW);
/// Most bytes of a file's name that stand in its fresh name.
const LONGEST_STEM: usize = 100;

/// An open folder. Paths in it are relative and have no `..`; a link among them is an error and not followed.
pub struct Folder {
    path: PathBuf,
    handle: OwnedFd,
}

impl Folder {
    /// Opens a folder that the user named, or that was made by us. Its own path may have links in it.
    ///
    /// # Errors
    /// No such folder.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::RDONLY;
        let handle = rustix::fs::open(path, flags, Mode::empty()).map_err(std::io::Error::from).at(path)?;
        Ok(Folder { path: path.to_path_buf(), handle })
    }

    /// Opens a folder that the user named to be read.
    ///
    /// # Errors
    /// No such folder, which is wrong input.
    pub fn given(path: &Path) -> Result<Self> {
        std::fs::read_dir(path).map_err(|error| Error::reading(path, &error))?;
        Self::open(path)
    }

    /// Its path, as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file system and inode of the folder itself.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn identity(&self) -> Result<(u64, u64)> {
        let stat = rustix::fs::fstat(&self.handle).map_err(std::io::Error::from).at(&self.path)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Opens a file to read.
    ///
    /// # Errors
    /// A missing file, something else than a regular file, a link on the way.
    pub fn file(&self, relative: impl AsRef<Path>) -> Result<File> {
        let (folder, name) = self.way_to(relative.as_ref(), false)?;
        folder.refuse_links(name)?;
        // Not waiting, should it have become a pipe since.
        folder.open_at(name, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())
    }

    /// Reads a file of at most so many bytes.
    ///
    /// # Errors
    /// As for [`Folder::file`], and a larger file.
    pub fn read(&self, relative: impl AsRef<Path>, most: u64) -> Result<Vec<u8>> {
        let path = self.path.join(relative.as_ref());
        read(self.file(relative)?, &path, most)
    }

    /// Whether there is something of this name: a file, or what is refused as one.
    pub fn has(&self, relative: impl AsRef<Path>) -> bool {
        let found = self.way_to(relative.as_ref(), false).map(|(folder, name)| folder.kind_of(name));
        found.map_or(true, |found| found.is_ok())
    }

    /// A folder in this one; it is made where it is missing.
    ///
    /// # Errors
    /// Something else of this name, a link on the way.
    pub fn folder(&self, relative: impl AsRef<Path>) -> Result<Folder> {
        // A last part that is never reached.
        self.way_to(&relative.as_ref().join("_"), true).map(|(folder, _)| folder)
    }

    /// Opens a file to append to, which is made where it is missing and may be written by the user alone.
    ///
    /// # Errors
    /// Something else than a regular file of this one name, a link on the way.
    pub fn append(&self, name: &str) -> Result<File> {
        if self.has(name) {
            self.refuse_links(OsStr::new(name))?;
        }
        let path = self.path.join(name);
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
        let file = self.open_at(OsStr::new(name), flags, Mode::from_raw_mode(0o644))?;
        if file.metadata().at(&path)?.nlink() > 1 {
            return Err(Error::input(path.display(), "has another name, too, and is not written into"));
        }
        Ok(file)
    }

    /// Creates a file that is not there yet.
    fn create(&self, name: &OsStr, mode: u32) -> Result<File> {
        let mode = Mode::from_raw_mode(mode);
        self.open_at(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode)
    }

    /// Writes a file in place of what has this name, which stays until the new one is on the disk. A link is replaced.
    ///
    /// # Errors
    /// The operating system refuses; then what was there is still there.
    pub fn replace(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> Result<()> {
        self.replace_by(name, 0o666, |file| file.write_all(bytes))
    }

    /// As [`Folder::replace`], with what `write` writes into the new file, which has the access rights `mode` as far as
    /// the process grants any.
    ///
    /// # Errors
    /// As for [`Folder::replace`].
    pub fn replace_by(
        &self,
        name: impl AsRef<OsStr>,
        mode: u32,
        write: impl FnOnce(&mut File) -> std::io::Result<()>,
    ) -> Result<()> {
        self.replace_unflushed(name, mode, |file| write(file).and_then(|()| file.sync_all()))?;
        self.flush()
    }

    /// As [`Folder::replace_by`], but neither the file nor its name need be on the disk afterwards.
    ///
    /// # Errors
    /// As for [`Folder::replace`].
    pub fn replace_unflushed(
        &self,
        name: impl AsRef<OsStr>,
        mode: u32,
        write: impl FnOnce(&mut File) -> std::io::Result<()>,
    ) -> Result<()> {
        let name = name.as_ref();
        let path = self.path.join(name);
        self.sweep(name);
        let fresh = fresh_name(name);
        let mut file =
            self.create(&fresh, mode).map_err(|error| Error { place: path.display().to_string(), ..error })?;
        let written = write(&mut file);
        let renamed = written.and_then(|()| {
            rustix::fs::renameat(&self.handle, &fresh, &self.handle, name).map_err(std::io::Error::from)
        });
        if renamed.is_err() {
            let _ = rustix::fs::unlinkat(&self.handle, &fresh, AtFlags::empty());
        }
        renamed.at(&path)
    }

    /// Removes a file, or a link.
    ///
    /// # Errors
    /// The operating system refuses, or there is none.
    pub fn remove(&self, name: &str) -> Result<()> {
        let removed = rustix::fs::unlinkat(&self.handle, name, AtFlags::empty());
        removed.map_err(std::io::Error::from).at(&self.path.join(name))
    }

    /// Gives a file of this folder a second name in another folder; a copy where the file system knows no such thing.
    ///
    /// # Errors
    /// As for [`Folder::file`], or something that is at the new place already.
    pub fn link(&self, relative: impl AsRef<Path>, to: &Path) -> Result<()> {
        let (folder, name) = self.way_to(relative.as_ref(), false)?;
        folder.refuse_links(name)?;
        if rustix::fs::linkat(&folder.handle, name, rustix::fs::CWD, to, AtFlags::empty()).is_err() {
            let mut made = create(to)?;
            let mut from = folder.open_at(name, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?;
            std::io::copy(&mut from, &mut made).and_then(|_| made.sync_all()).at(to)?;
        }
        Ok(())
    }

    /// Brings the names in this folder to the disk.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<()> {
        match rustix::fs::fsync(&self.handle) {
            // A file system that has nothing to flush for folders.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            Err(error) => Err(std::io::Error::from(error)).at(&self.path),
        }
    }

    /// The folder in which a path ends, and its last part.
    fn way_to<'p>(&self, relative: &'p Path, make: bool) -> Result<(Folder, &'p OsStr)> {
        let whole = self.path.join(relative);
        let mut parts = Vec::new();
        for part in relative.components() {
            match part {
                Component::Normal(part) => parts.push(part),
                Component::CurDir => {}
                _ => return Err(Error::input(whole.display(), "leaves the folder that it is read from")),
            }
        }
        let Some(last) = parts.pop() else {
            return Err(Error::input(whole.display(), "is a folder, a file is wanted"));
        };
        let handle = self.handle.try_clone().at(&self.path)?;
        let mut folder = Folder { path: self.path.clone(), handle };
        for part in parts {
            folder = folder.enter(part, make)?;
        }
        Ok((folder, last))
    }

    fn enter(&self, name: &OsStr, make: bool) -> Result<Folder> {
        let path = self.path.join(name);
        if make {
            match rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(std::io::Error::from(error)).at(&path),
            }
        }
        let flags = ALWAYS | OFlags::DIRECTORY | OFlags::RDONLY;
        match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => Ok(Folder { path, handle }),
            Err(_) if matches!(self.kind_of(name), Ok(FileType::Symlink)) => Err(is_link(&path)),
            Err(error) if make => Err(std::io::Error::from(error)).at(&path),
            Err(error) => Err(std::io::Error::from(error)).reading(&path),
        }
    }

    fn kind_of(&self, name: &OsStr) -> rustix::io::Result<FileType> {
        let stat = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    /// Refuses what is no regular file before it is opened, which may have effects of its own.
    fn refuse_links(&self, name: &OsStr) -> Result<()> {
        let path = self.path.join(name);
        let what = match self.kind_of(name).map_err(std::io::Error::from).reading(&path)? {
            FileType::RegularFile => return Ok(()),
            FileType::Symlink => return Err(is_link(&path)),
            FileType::Directory => return Err(Error::input(path.display(), "is a folder, a file is wanted")),
            FileType::Fifo => "a FIFO",
            FileType::Socket => "a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            FileType::Unknown => "no file",
        };
        Err(Error::input(path.display(), format!("is {what}; a regular file is wanted")))
    }

    fn open_at(&self, name: &OsStr, flags: OFlags, mode: Mode) -> Result<File> {
        let path = self.path.join(name);
        match rustix::fs::openat(&self.handle, name, ALWAYS | flags, mode) {
            Ok(handle) => {
                let file = File::from(handle);
                refuse_irregular(&file.metadata().at(&path)?, &path)?;
                Ok(file)
            }
            Err(Errno::LOOP) => Err(is_link(&path)),
            Err(error) if flags.contains(OFlags::WRONLY) => Err(std::io::Error::from(error)).at(&path),
            Err(error) => Err(std::io::Error::from(error)).reading(&path),
        }
    }

    /// Removes what runs that were killed left while they wrote this file.
    fn sweep(&self, name: &OsStr) {
        let start = fresh_start(name);
        let Ok(entries) = rustix::fs::Dir::read_from(&self.handle) else { return };
        for entry in entries.flatten() {
            let found = OsStr::from_bytes(entry.file_name().to_bytes());
            let Some(rest) = found.as_bytes().strip_prefix(start.as_bytes()) else { continue };
            let process = std::str::from_utf8(rest).ok().and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
            if process.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
                let _ = rustix::fs::unlinkat(&self.handle, found, AtFlags::empty());
            }
        }
    }
}

/// The error that something is a link.
fn is_link(path: &Path) -> Error {
    Error::input(path.display(), "is a link, which is not followed here")
        .help("a bundle holds regular files and folders alone: put the file itself there, or make the bundle again")
}

/// How names of a file that is being written begin.
fn fresh_start(name: &OsStr) -> OsString {
    let stem = &name.as_bytes()[..name.len().min(LONGEST_STEM)];
    OsString::from_vec([b".", stem, b".partial-"].concat())
}

/// A hidden name that nobody can foresee, with the process that it belongs to.
fn fresh_name(name: &OsStr) -> OsString {
    let mut fresh = fresh_start(name);
    fresh.push(format!("{}-{:016x}", std::process::id(), RandomState::new().build_hasher().finish()));
    fresh
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_and_ways_out_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::create_dir_all(path("in/sub")).unwrap();
        std::fs::write(path("secret"), "secret").unwrap();
        std::fs::write(path("in/sub/file"), "mine").unwrap();
        symlink("../secret", path("in/link")).unwrap();
        symlink("sub", path("in/folder")).unwrap();
        let folder = Folder::open(&path("in")).unwrap();
        assert_eq!(folder.read("sub/file", 4).unwrap(), b"mine");
        for (name, word) in [
            ("link", "in/link: is a link"),
            ("folder/file", "in/folder: is a link"),
            ("../secret", "leaves the folder"),
            ("/etc/passwd", "leaves the folder"),
            ("sub", "is a folder"),
            ("sub/none", "No such file"),
        ] {
            let error = folder.read(name, 100).unwrap_err().to_string();
            assert!(error.contains(word), "{name}: {error}");
        }
        assert!(folder.read("sub/file", 3).unwrap_err().to_string().contains("larger than 3 bytes"));
        assert!(folder.append("link").is_err() && folder.folder("folder/new").is_err());
        assert!(folder.link("link", &path("second")).is_err());
        // Replacing does not follow either.
        folder.replace("link", b"new").unwrap();
        assert_eq!(std::fs::read(path("secret")).unwrap(), b"secret");
        assert_eq!(std::fs::read(path("in/link")).unwrap(), b"new");
    }

    #[test]
    fn what_killed_runs_left_of_a_file_is_swept_and_what_lives_is_not() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        // No process has this number.
        let dead = place.path().join(format!(".f.partial-{}-1", u32::MAX));
        let living = place.path().join(format!(".f.partial-{}-1", std::process::id()));
        [&dead, &living].iter().for_each(|path| std::fs::write(path, "half").unwrap());
        folder.replace("f", b"whole").unwrap();
        assert!(!dead.exists() && living.exists());
        // The longest name that there may be has a fresh one, too.
        let longest = "n".repeat(255);
        folder.replace(&longest, b"whole").unwrap();
        assert_eq!(folder.read(&longest, 5).unwrap(), b"whole");
    }
}
