//! Files as memory. A model's weights are not read into memory but looked at where they are; whoever writes to them
//! meanwhile changes what is seen. So a map knows how its file looked when it was opened, and says whether it still
//! does.

use std::fs::{File, Metadata};
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::cut_off::Watched;
use crate::error::{Error, IoContext, Result};
use crate::files;

/// A file, or zeros, as memory that can only be read.
pub struct Map {
    // Let go first: its address may be another map's afterwards.
    _watched: Option<Watched>,
    bytes: Mmap,
    source: Option<Source>,
}

/// The file of a map.
struct Source {
    path: PathBuf,
    file: File,
    seen: Seen,
}

/// What the file system said of a file. Any change of the contents changes the times, the second of which no program
/// can set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    fn of(meta: &Metadata) -> Self {
        Seen {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl Map {
    /// Maps a regular file that a user named, or one that a link leads to.
    ///
    /// # Errors
    /// There is no such file, or it is a folder, a FIFO or a device; these are refused at once.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::input(path.display(), "is a folder, a file is wanted"));
        }
        Self::of(files::open(path)?, path)
    }

    /// Maps a regular file that is open; `path` is where it is.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn of(file: File, path: &Path) -> Result<Self> {
        let seen = Seen::of(&file.metadata().at(path)?);
        // SAFETY: the map is read-only. A file that somebody cuts off meanwhile ends the program with a message, one
        // that is written to meanwhile is told by `refuse_changed`.
        let bytes = unsafe { Mmap::map(&file) }.at(path)?;
        let watched = Watched::new(path, &bytes);
        Ok(Map { _watched: Some(watched), bytes, source: Some(Source { path: path.to_path_buf(), file, seen }) })
    }

    /// A map of no file.
    pub fn anonymous(bytes: Mmap) -> Self {
        Map { _watched: None, bytes, source: None }
    }

    /// Refuses a file that is not as it was when it was opened, or that another one has taken the place of.
    ///
    /// # Errors
    /// The file changed: what was made of it may be of neither its old nor its new contents.
    pub fn refuse_changed(&self) -> Result<()> {
        let Some(Source { path, file, seen }) = &self.source else { return Ok(()) };
        let now = Seen::of(&file.metadata().at(path)?);
        let there = std::fs::metadata(path).map(|meta| Seen::of(&meta));
        if now == *seen && there.is_ok_and(|there| there == *seen) {
            return Ok(());
        }
        Err(Error::input(path.display(), "changed while it was read")
            .help("what was made of it is not kept; run the command again when nobody writes to the file any more"))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Map {
    /// Lets go of the memory of a range; what is read again comes from the file again.
    pub fn release(&self, start: usize, length: usize) {
        // SAFETY: a shared read-only map, whose pages hold nothing that is not in the file.
        let _ = unsafe { self.bytes.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_mapped_file_is_told() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("weights");
        let open = || {
            std::fs::write(&path, "one").unwrap();
            Map::open(&path).unwrap()
        };
        open().refuse_changed().unwrap();
        let map = open();
        let times = std::fs::FileTimes::new().set_modified(std::fs::metadata(&path).unwrap().modified().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&path, "two").unwrap();
        File::options().append(true).open(&path).unwrap().set_times(times).unwrap();
        assert!(map.refuse_changed().unwrap_err().message.contains("changed while it was read"));
        let map = open();
        std::fs::write(folder.path().join("other"), "one").unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        assert_eq!(&map[..], b"one");
        map.refuse_changed().unwrap_err();
        let map = open();
        std::fs::remove_file(&path).unwrap();
        map.refuse_changed().unwrap_err();
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::TempDir::new().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        for (path, what) in
            [(pipe.as_path(), "a FIFO"), (folder.path(), "a folder"), (Path::new("/dev/zero"), "a device")]
        {
            let error = Map::open(path).err().unwrap();
            assert!(error.message.contains(what), "{error}");
        }
    }
}
