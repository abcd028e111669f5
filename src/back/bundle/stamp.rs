//! Stamps: what the file system says of a file whose SHA-256 was taken, so that three gigabytes of weights need not be read
//! to know that nobody changed them.
//!
//! A file counts as unchanged where size, time of modification to the nanosecond, inode and device are those of the stamp;
//! of a file that others own, the time of the last change of its inode too, which no program can set back. A file that was
//! hardly older than its stamp is read again: it may have changed once more within the clock's step.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::manifest::hash;
use crate::error::{IoContext, Result};

/// Coarsest clock of a file system in use (FAT).
const CLOCK: Duration = Duration::from_secs(2);

/// A file's SHA-256 and how the file looked when it was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    /// Of files that others own. Linking changes it, so it says nothing of our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<(i64, i64)>,
    inode: u64,
    device: u64,
    sha256: String,
}

/// Whose files they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Written by us, under a lock; moved and linked by us.
    Us,
    /// Anybody may write them at any time.
    Others,
}

/// Stamps by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamps(BTreeMap<String, Stamp>);

impl Stamps {
    /// SHA-256 of the file at `path`, which goes by `name` here: from its stamp if the stamp is of this very file, by
    /// reading it otherwise, or wherever `read_anew`.
    pub fn hash(&mut self, name: &str, path: &Path, owner: Owner, read_anew: bool) -> Result<String> {
        let meta = std::fs::metadata(path).at(path)?;
        if let Some(known) = self.0.get(name).filter(|_| !read_anew)
            && *known == stamp(&meta, owner, known.sha256.clone())
        {
            return Ok(known.sha256.clone());
        }
        let begun = SystemTime::now();
        let sha256 = hash(path)?;
        // Of a file that is written while it is read there is nothing to remember.
        let same = std::fs::metadata(path)
            .is_ok_and(|after| stamp(&after, owner, String::new()) == stamp(&meta, owner, String::new()));
        let settled = owner == Owner::Us
            || meta.modified().is_ok_and(|modified| begun.duration_since(modified).is_ok_and(|age| age > CLOCK));
        if same && settled {
            self.0.insert(name.to_string(), stamp(&meta, owner, sha256.clone()));
        } else {
            self.0.remove(name);
        }
        Ok(sha256)
    }

    /// Notes the SHA-256 of one of our files, which is known.
    pub fn note(&mut self, name: &str, path: &Path, sha256: &str) -> Result<()> {
        let meta = std::fs::metadata(path).at(path)?;
        self.0.insert(name.to_string(), stamp(&meta, Owner::Us, sha256.to_string()));
        Ok(())
    }

    /// Takes over the stamp of a name from others, where there is none.
    pub fn adopt(&mut self, name: &str, others: &Stamps) {
        if let (false, Some(stamp)) = (self.0.contains_key(name), others.0.get(name)) {
            self.0.insert(name.to_string(), stamp.clone());
        }
    }

    /// Keeps the stamps of these names alone.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| keep(name));
    }
}

fn stamp(meta: &Metadata, owner: Owner, sha256: String) -> Stamp {
    Stamp {
        bytes: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (owner == Owner::Others).then(|| (meta.ctime(), meta.ctime_nsec())),
        inode: meta.ino(),
        device: meta.dev(),
        sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};

    fn set_modified(path: &Path, time: SystemTime) {
        File::options().append(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    #[test]
    fn an_old_file_is_read_once_and_any_change_is_seen() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("weights");
        let old = SystemTime::now() - Duration::from_secs(100);
        std::fs::write(&path, "one").unwrap();
        set_modified(&path, old);
        let mut stamps = Stamps::default();
        let first = stamps.hash("w", &path, Owner::Others, false).unwrap();
        assert_eq!(stamps.0.len(), 1);
        assert_eq!(stamps.hash("w", &path, Owner::Others, false).unwrap(), first);
        // Same size, and the time of modification set back: the inode's own time tells.
        std::fs::write(&path, "two").unwrap();
        set_modified(&path, old);
        let second = stamps.hash("w", &path, Owner::Others, false).unwrap();
        assert_ne!(first, second);
        assert_eq!(second, hash(&path).unwrap());
        // A file that is only just written is read, and not remembered.
        std::fs::write(&path, "three").unwrap();
        assert_eq!(stamps.hash("w", &path, Owner::Others, false).unwrap(), hash(&path).unwrap());
        assert!(stamps.0.is_empty());
    }

    #[test]
    fn what_a_stamp_says_is_not_believed_where_everything_is_read_anew() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("product");
        std::fs::write(&path, "one").unwrap();
        let mut stamps = Stamps::default();
        stamps.note("p", &path, "wrong").unwrap();
        assert_eq!(stamps.hash("p", &path, Owner::Us, false).unwrap(), "wrong");
        assert_eq!(stamps.hash("p", &path, Owner::Us, true).unwrap(), hash(&path).unwrap());
    }
}
