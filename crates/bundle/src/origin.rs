//! Where notes were written: here, by this user, or elsewhere.
//!
//! A ledger says that work was done, and a journal what a model answered. Whoever hands a bundle on could have written
//! anything into them. So each says of which file it is: by the inode and the time at which the system made it, which
//! no archive and no copy brings along and no program sets. A file that somebody else owns or may write is not believed
//! either.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, StatxFlags};

use autoneural_base::error::{IoContext, Result};
use autoneural_base::files::Folder;

/// Access rights of such files.
pub const MODE: u32 = 0o644;
/// Where a file system does not tell when a file was made: an empty file beside it, which is never touched again.
const WITNESS: &str = ".here";

/// What notes in this file, in this folder, say of their origin.
///
/// # Errors
/// The operating system does not tell, or refuses a witness.
pub fn of(file: &File, folder: &Folder) -> Result<String> {
    match born(file).at(folder.path())? {
        Some(origin) => Ok(origin),
        None => witness(folder),
    }
}

/// Whether notes in a file that say this of their origin are ours.
pub fn is(origin: &str, file: &File, folder: &Folder) -> bool {
    let is_own = file.metadata().is_ok_and(|meta| {
        meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o022 == 0 && meta.nlink() == 1
    });
    let known = || match born(file) {
        Ok(Some(origin)) => Some(origin),
        Ok(None) if folder.has(WITNESS) => witness(folder).ok(),
        _ => None,
    };
    is_own && known().is_some_and(|known| known == origin)
}

fn born(file: &File) -> std::io::Result<Option<String>> {
    let wanted = StatxFlags::BTIME | StatxFlags::INO;
    let found = match rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, wanted) {
        Ok(found) => found,
        Err(rustix::io::Errno::NOSYS) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let known = StatxFlags::from_bits_retain(found.stx_mask).contains(wanted);
    Ok(known.then(|| format!("{}-{}.{:09}", found.stx_ino, found.stx_btime.tv_sec, found.stx_btime.tv_nsec)))
}

/// The witness, by inode and time of change; it is made where it is missing.
fn witness(folder: &Folder) -> Result<String> {
    if !folder.has(WITNESS) {
        folder.replace_by(WITNESS, MODE, |_| Ok(()))?;
    }
    let meta = folder.file(WITNESS)?.metadata().at(Path::new(WITNESS))?;
    Ok(format!("{}-{}.{:09}", meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_and_what_others_may_write_are_not_ours() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (Folder::open(one.path()).unwrap(), Folder::open(other.path()).unwrap());
        here.replace_by("notes", MODE, |_| Ok(())).unwrap();
        let file = here.file("notes").unwrap();
        let origin = of(&file, &here).unwrap();
        assert!(is(&origin, &file, &here));
        // Written into, and under another name, it is the same file.
        std::fs::write(one.path().join("notes"), "more").unwrap();
        std::fs::rename(one.path().join("notes"), one.path().join("renamed")).unwrap();
        assert!(is(&origin, &here.file("renamed").unwrap(), &here));
        std::fs::copy(one.path().join("renamed"), other.path().join("notes")).unwrap();
        assert!(!is(&origin, &there.file("notes").unwrap(), &there));
        std::fs::set_permissions(one.path().join("renamed"), std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(!is(&origin, &here.file("renamed").unwrap(), &here));
    }

    #[test]
    fn a_witness_stands_in_where_a_file_system_tells_no_birth() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (Folder::open(one.path()).unwrap(), Folder::open(other.path()).unwrap());
        let origin = witness(&here).unwrap();
        assert_eq!(witness(&here).unwrap(), origin);
        std::fs::copy(one.path().join(WITNESS), other.path().join(WITNESS)).unwrap();
        assert_ne!(witness(&there).unwrap(), origin);
    }
}
