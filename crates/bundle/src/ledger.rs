//! The ledger: which units of work were done, with which inputs, and which files they made. It is one hidden file, in a
//! bundle and in the folder in which a bundle is made. It belongs to this machine and this program and is not part of
//! the bundle: without it everything is made again. A ledger that was written elsewhere, or that other users may write,
//! is ignored.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file_record::FileRecord;
use super::origin;
use super::paths::LEDGER;
use super::stamp::{Owner, Stamps};
use autoneural_base::error::Result;
use autoneural_base::files::{self, Folder};
use autoneural_base::json::{LARGEST_JSON, json_of, text_of};
use autoneural_base::text;

/// Version of the ledger's format.
const SCHEMA: u32 = 2;
/// The program that is running, even if its file was replaced since.
const PROGRAM: &str = "/proc/self/exe";

/// A finished unit of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Unit {
    /// Key of what it read.
    pub key: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The files it made.
    pub files: Vec<FileRecord>,
    /// The value that it returned.
    pub found: serde_json::Value,
}

/// What is known of a bundle, or of one in the making.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    schema: u32,
    /// The origin of its file: see `origin`.
    origin: String,
    /// The start of the system in whose course it was written while files of it were still on their way to the disk.
    /// After another start they may not be there: what stamps say of them is not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// SHA-256 of the program: another build of it may make other files of the same inputs.
    program: String,
    /// Finished work by name.
    pub units: BTreeMap<String, Unit>,
    /// Stamps of files that were read, by path.
    pub inputs: Stamps,
    /// Stamps of files that were made, by path in the bundle.
    pub products: Stamps,
}

impl Ledger {
    /// The ledger of a folder. Nothing is known of one without a ledger, with a damaged one or one from elsewhere, or
    /// with one of another build of the program.
    ///
    /// # Errors
    /// The program's own file cannot be read; a ledger that is no regular file.
    pub(crate) fn read(folder: &Folder, read_anew: bool) -> Result<Self> {
        let mut made = if folder.has(LEDGER) { Self::believed(folder)? } else { Self::default() };
        made.schema = SCHEMA;
        if made.since.take().is_some_and(|since| Some(since) != start_of_system()) {
            made.products = Stamps::default();
        }
        let path = Path::new(PROGRAM);
        let program = made.inputs.hash(PROGRAM, &files::open(path)?, path, Owner::Others, read_anew)?;
        let is_ours = made.program == program;
        made.program = program;
        made.units.retain(|_, unit| is_ours && unit.files.iter().all(|file| text::stays_inside(Path::new(&file.path))));
        Ok(made)
    }

    fn believed(folder: &Folder) -> Result<Self> {
        let (file, path) = (folder.file(LEDGER)?, folder.path().join(LEDGER));
        let text = folder.read(LEDGER, LARGEST_JSON);
        let made: Ledger = text.and_then(|text| json_of(&path, &text, SCHEMA, "")).unwrap_or_default();
        Ok(if origin::is(&made.origin, &file, folder) { made } else { Self::default() })
    }

    /// Writes the ledger, completely or not at all. The files that it lists must be on the disk.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(crate) fn write(&self, folder: &Folder) -> Result<()> {
        folder.replace_by(LEDGER, origin::MODE, |file| self.write_into(file, folder, None))
    }

    /// Writes the ledger while the system may still be writing the files that it lists to the disk. Returns before the
    /// ledger itself is on the disk.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(crate) fn write_meanwhile(&self, folder: &Folder) -> Result<()> {
        // If the time of the system's start is not known, the ledger holds for no later start.
        let since = start_of_system().unwrap_or_default();
        folder.replace_unflushed(LEDGER, origin::MODE, |file| self.write_into(file, folder, Some(since)))
    }

    /// Notes anew what is known of files that lost a name since, in the bundle at its place, so that they need not be
    /// read again; a bundle on a disk that takes no more is as good without.
    pub(crate) fn keep(&mut self, bundle: &Path) {
        if let Ok(folder) = Folder::open(bundle) {
            self.products.renew(&folder);
            let _ = self.write(&folder);
        }
    }

    fn write_into(&self, file: &mut File, folder: &Folder, since: Option<String>) -> std::io::Result<()> {
        let path = folder.path().join(LEDGER);
        let made =
            origin::of(file, folder).and_then(|origin| text_of(&Ledger { origin, since, ..self.clone() }, &path));
        file.write_all(made.map_err(std::io::Error::other)?.as_bytes())
    }
}

/// What tells one start of the system from another.
fn start_of_system() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_files_on_their_way_to_the_disk_are_not_believed_after_another_start() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        std::fs::write(place.path().join("made"), "one").unwrap();
        let mut ledger = Ledger::read(&folder, false).unwrap();
        ledger.products.note("made", &folder.file("made").unwrap(), "hash").unwrap();
        let is_bare = |ledger: &Ledger| ledger.products == Stamps::default();
        ledger.write_meanwhile(&folder).unwrap();
        assert!(!is_bare(&Ledger::read(&folder, false).unwrap()));
        let start = start_of_system().unwrap();
        let text = std::fs::read_to_string(place.path().join(LEDGER)).unwrap();
        // Written into, it is the same file.
        std::fs::write(place.path().join(LEDGER), text.replace(&start, "another")).unwrap();
        assert!(is_bare(&Ledger::read(&folder, false).unwrap()));
        // What was finished does not depend on it.
        ledger.write(&folder).unwrap();
        assert!(!std::fs::read_to_string(place.path().join(LEDGER)).unwrap().contains(&start));
        assert!(!is_bare(&Ledger::read(&folder, false).unwrap()));
    }
}
