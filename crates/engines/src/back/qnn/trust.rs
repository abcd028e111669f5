//! Whether what is found on the way may be loaded. A library's code runs with the user's rights as soon as it is
//! loaded, so a folder that was not named must be one that nobody else may change.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Mode bits: others may write, the group may write, only an entry's owner may rename it.
const OTHERS: u32 = 0o002;
const GROUP: u32 = 0o020;
const STICKY: u32 = 0o1000;
/// The user to whom the system belongs.
const ROOT: u32 = 0;
/// Most files and folders that libraries and what lies beside them are; a link in a circle has no end.
const MOST_FILES: usize = 4000;

/// Whose files may be loaded.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    owners: BTreeSet<u32>,
    /// Groups whose members can replace the program itself, so that nothing is gained by keeping them from its
    /// libraries.
    groups: BTreeSet<u32>,
}

impl Trust {
    /// The user and the system, for folders that have nothing to do with the program.
    pub(crate) fn of_user() -> Self {
        let user = rustix::process::geteuid().as_raw();
        Trust { owners: [ROOT, user].into(), groups: BTreeSet::new() }
    }

    /// Those, and whoever could as well replace the program that runs: owners and groups of its file and of the folders
    /// above it. Where anybody may write nobody is known.
    pub(crate) fn of_program(program: &Path) -> Self {
        let mut trust = Self::of_user();
        for (place, is_folder) in program.ancestors().zip(std::iter::once(false).chain(std::iter::repeat(true))) {
            let Ok(meta) = std::fs::symlink_metadata(place) else { continue };
            if meta.mode() & OTHERS != 0 && !(is_folder && meta.mode() & STICKY != 0) {
                return Self::of_user();
            }
            trust.owners.insert(meta.uid());
            // In a sticky folder nobody takes the name of what belongs to others.
            if meta.mode() & GROUP != 0 && !(is_folder && meta.mode() & STICKY != 0) {
                trust.groups.insert(meta.gid());
            }
        }
        trust
    }

    /// The same groups, but only the user's and the system's own files.
    pub(crate) fn without_owners(self) -> Self {
        Trust { groups: self.groups, ..Self::of_user() }
    }

    /// Why a toolkit's folder may not be loaded from; `None` where only those who are trusted may change it. `folder`
    /// has no links on its way; `parts` are its folders that libraries are loaded from, if they are there.
    pub(crate) fn refusal(&self, folder: &Path, parts: &[PathBuf]) -> Option<String> {
        let mut left = MOST_FILES;
        self.way(folder).or_else(|| {
            parts.iter().find_map(|part| {
                let between = part.ancestors().skip(1).take_while(|place| *place != folder);
                between.into_iter().find_map(|place| self.one(place)).or_else(|| self.tree(part, &mut left))
            })
        })
    }

    /// Looks at a file or folder that may not be there, and where it leads if it is a link.
    fn one(&self, path: &Path) -> Option<String> {
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.is_symlink() => match std::fs::canonicalize(path) {
                Ok(target) => self.way(&target),
                Err(error) => unseen(path, &error),
            },
            Ok(meta) => self.place(path, &meta),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => unseen(path, &error),
        }
    }

    /// Looks at a file or folder and at every folder above it.
    fn way(&self, path: &Path) -> Option<String> {
        path.ancestors().enumerate().find_map(|(above, place)| match std::fs::symlink_metadata(place) {
            // Of what belongs to others in a sticky folder nobody else may take the name.
            Ok(meta) if above > 0 && meta.mode() & STICKY != 0 => self.owner(place, &meta),
            Ok(meta) => self.place(place, &meta),
            Err(error) => unseen(place, &error),
        })
    }

    /// Looks at everything in a folder, and where its links lead.
    fn tree(&self, path: &Path, left: &mut usize) -> Option<String> {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return Some(format!("there are more files than libraries have, up to {}", path.display()));
        }
        if let Some(refusal) = self.one(path) {
            return Some(refusal);
        }
        if !path.is_dir() {
            return None;
        }
        match std::fs::read_dir(path) {
            Ok(entries) => entries.into_iter().find_map(|entry| match entry {
                Ok(entry) => self.tree(&entry.path(), left),
                Err(error) => unseen(path, &error),
            }),
            Err(error) => unseen(path, &error),
        }
    }

    fn place(&self, path: &Path, meta: &Metadata) -> Option<String> {
        let path_text = path.display();
        if meta.mode() & OTHERS != 0 {
            return Some(format!("everybody may write to {path_text}"));
        }
        if meta.mode() & GROUP != 0 && !self.groups.contains(&meta.gid()) {
            return Some(format!("the group {} may write to {path_text}", meta.gid()));
        }
        self.owner(path, meta)
    }

    fn owner(&self, path: &Path, meta: &Metadata) -> Option<String> {
        let is_known = self.owners.contains(&meta.uid());
        (!is_known).then(|| format!("{} belongs to another user ({})", path.display(), meta.uid()))
    }
}

fn unseen(path: &Path, error: &std::io::Error) -> Option<String> {
    Some(format!("{} cannot be looked at: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder `a/b/lib.so` below a temporary folder, which is sticky.
    fn bench() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        std::fs::write(path.join("a/b/lib.so"), "").unwrap();
        for (place, mode) in [("a", 0o755), ("a/b", 0o755), ("a/b/lib.so", 0o644)] {
            set(&path.join(place), mode);
        }
        (folder, path)
    }

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_change_is_refused() {
        let (_kept, path) = bench();
        let trust = Trust::of_user();
        let refusal = || trust.refusal(&path.join("a"), &[path.join("a/b")]);
        assert_eq!(refusal(), None);
        for (place, good, bad, word) in [
            ("a", 0o755, 0o757, "everybody may write"),
            ("a/b", 0o755, 0o775, "the group"),
            // Others may not take names in it, but they may add some.
            ("a/b", 0o755, 0o1777, "everybody may write"),
            ("a/b/lib.so", 0o644, 0o646, "everybody may write"),
            ("", 0o700, 0o777, "everybody may write"),
        ] {
            let place = path.join(place);
            set(&place, bad);
            let found = refusal().unwrap_or_else(|| panic!("{} with {bad:o} is taken", place.display()));
            assert!(found.contains(word) && found.contains(place.to_str().unwrap().trim_end_matches('/')), "{found}");
            set(&place, good);
        }
        set(&path, 0o1777);
        assert_eq!(refusal(), None, "a sticky folder above, as /tmp is");
    }

    #[test]
    fn links_are_followed() {
        let (_kept, path) = bench();
        std::fs::create_dir(path.join("c")).unwrap();
        std::fs::write(path.join("c/other.so"), "").unwrap();
        set(&path.join("c"), 0o777);
        let trust = Trust::of_user();
        std::os::unix::fs::symlink("../../c/other.so", path.join("a/b/other.so")).unwrap();
        let found = trust.refusal(&path.join("a"), &[path.join("a/b")]).unwrap();
        assert!(found.contains("everybody may write") && found.ends_with("/c"), "{found}");
        set(&path.join("c"), 0o755);
        assert_eq!(trust.refusal(&path.join("a"), &[path.join("a/b")]), None);
    }

    #[test]
    fn who_can_replace_the_program_may_change_its_libraries() {
        let (_kept, path) = bench();
        set(&path.join("a"), 0o775);
        set(&path.join("a/b"), 0o775);
        let of_program = || Trust::of_program(&path.join("a/b/lib.so"));
        assert_eq!(of_program().refusal(&path.join("a"), &[path.join("a/b")]), None);
        assert!(Trust::of_user().refusal(&path.join("a"), &[path.join("a/b")]).is_some());
        // Anybody may put a program here, so that it says nothing about whom to trust.
        set(&path.join("a"), 0o777);
        assert!(of_program().refusal(&path.join("a/b"), &[]).is_some());
    }
}
