//! Stamps: what the file system says of a file whose SHA-256 was taken, so that three gigabytes of weights need not be
//! read to know that nobody changed them.
//!
//! A file counts as unchanged where size, time of modification to the nanosecond, inode and device are those of the
//! stamp, and the time of the last change of its inode too, which no program can set back. Giving a file of ours a
//! second name changes that, so it is noted anew then. A file of others that was hardly older than its stamp is read
//! again: it may have changed once more within the clock's step.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::hash::hash_of;
use autoneural_base::error::{IoContext, Result};
use autoneural_base::files::Folder;

/// Coarsest clock of a file system in use (FAT).
const CLOCK: Duration = Duration::from_secs(2);

/// A file's SHA-256 and how the file looked when it was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
    device: u64,
    sha256: String,
}

/// Whose files they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Written by us, under a lock; moved and linked by us.
    Us,
    /// Anybody may write them at any time.
    Others,
}

/// Stamps by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Stamps(BTreeMap<String, Stamp>);

impl Stamps {
    /// SHA-256 of an open file, in hexadecimal. It is taken from the stamp of this `name` if that belongs to this very
    /// file; otherwise, or if `read_anew`, the file is read. `path` is only for messages.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn hash(
        &mut self,
        name: &str,
        file: &File,
        path: &Path,
        owner: Owner,
        read_anew: bool,
    ) -> Result<String> {
        let meta = file.metadata().at(path)?;
        if let Some(known) = self.0.get(name).filter(|_| !read_anew)
            && *known == stamp(&meta, known.sha256.clone())
        {
            return Ok(known.sha256.clone());
        }
        let begun = SystemTime::now();
        let sha256 = hash_of(file, path)?;
        // The hash of a file that is written while it is read is not remembered.
        let same = file.metadata().is_ok_and(|after| stamp(&after, String::new()) == stamp(&meta, String::new()));
        let settled = owner == Owner::Us
            || meta.modified().is_ok_and(|modified| begun.duration_since(modified).is_ok_and(|age| age > CLOCK));
        if same && settled {
            self.0.insert(name.to_string(), stamp(&meta, sha256.clone()));
        } else {
            self.0.remove(name);
        }
        Ok(sha256)
    }

    /// Notes the SHA-256 of one of our own files, which the caller knows.
    ///
    /// # Errors
    /// The system does not tell size and time of the file.
    pub(crate) fn note(&mut self, name: &str, file: &File, sha256: &str) -> Result<()> {
        let meta = file.metadata().at(Path::new(name))?;
        self.0.insert(name.to_string(), stamp(&meta, sha256.to_string()));
        Ok(())
    }

    /// SHA-256 that was noted of a name, whatever the file is now.
    pub(crate) fn noted(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|stamp| stamp.sha256.as_str())
    }

    /// Notes our files in a folder anew after they were given a second name, or lost one, which changes nothing in
    /// them.
    pub(crate) fn renew(&mut self, folder: &Folder) {
        for (name, known) in &mut self.0 {
            let Ok(meta) = folder.file(name).and_then(|file| file.metadata().at(Path::new(name))) else { continue };
            let now = stamp(&meta, known.sha256.clone());
            if *known == (Stamp { changed: known.changed, ..now.clone() }) {
                *known = now;
            }
        }
    }

    /// Takes over the stamp of a name from others, where there is none.
    pub(crate) fn adopt(&mut self, name: &str, others: &Stamps) {
        if let (false, Some(stamp)) = (self.0.contains_key(name), others.0.get(name)) {
            self.0.insert(name.to_string(), stamp.clone());
        }
    }

    /// Keeps the stamps of these names alone.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| keep(name));
    }
}

fn stamp(meta: &Metadata, sha256: String) -> Stamp {
    Stamp {
        bytes: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
        device: meta.dev(),
        sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::FileTimes;

    fn set_modified(path: &Path, time: SystemTime) {
        File::options().append(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    fn hash(stamps: &mut Stamps, path: &Path, owner: Owner, read_anew: bool) -> String {
        stamps.hash("f", &File::open(path).unwrap(), path, owner, read_anew).unwrap()
    }

    fn read(path: &Path) -> String {
        hash_of(&File::open(path).unwrap(), path).unwrap()
    }

    #[test]
    fn an_old_file_is_read_once_and_any_change_is_seen() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("weights");
        let old = SystemTime::now() - Duration::from_secs(100);
        std::fs::write(&path, "one").unwrap();
        set_modified(&path, old);
        let mut stamps = Stamps::default();
        let first = hash(&mut stamps, &path, Owner::Others, false);
        assert_eq!(stamps.0.len(), 1);
        assert_eq!(hash(&mut stamps, &path, Owner::Others, false), first);
        // Same size, and the time of modification set back: the inode's own time tells.
        std::fs::write(&path, "two").unwrap();
        set_modified(&path, old);
        let second = hash(&mut stamps, &path, Owner::Others, false);
        assert_ne!(first, second);
        assert_eq!(second, read(&path));
        // A file that is only just written is read, and not remembered.
        std::fs::write(&path, "three").unwrap();
        assert_eq!(hash(&mut stamps, &path, Owner::Others, false), read(&path));
        assert!(stamps.0.is_empty());
    }

    #[test]
    fn what_a_stamp_says_is_not_believed_where_everything_is_read_anew() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("product");
        std::fs::write(&path, "one").unwrap();
        let mut stamps = Stamps::default();
        stamps.note("f", &File::open(&path).unwrap(), "wrong").unwrap();
        assert_eq!(hash(&mut stamps, &path, Owner::Us, false), "wrong");
        assert_eq!(hash(&mut stamps, &path, Owner::Us, true), read(&path));
    }

    #[test]
    fn a_second_name_is_noted_and_a_change_is_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let (path, second) = (folder.path().join("f"), folder.path().join("g"));
        std::fs::write(&path, "one").unwrap();
        let here = Folder::open(folder.path()).unwrap();
        let mut stamps = Stamps::default();
        stamps.note("f", &File::open(&path).unwrap(), "as noted").unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::hard_link(&path, &second).unwrap();
        stamps.renew(&here);
        assert_eq!(hash(&mut stamps, &path, Owner::Us, false), "as noted");
        // Our own files, too: the same size, and the time set back.
        std::fs::write(&path, "two").unwrap();
        set_modified(&path, modified);
        assert_eq!(hash(&mut stamps, &path, Owner::Us, false), read(&path));
    }
}
