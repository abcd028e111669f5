//! A whole bundle that nobody else works on meanwhile, for commands that change something of it; and what is left to do when
//! they are done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ledger::Ledger;
use super::lock::Lock;
use super::manifest::FileRecord;
use super::place::{STAGE, beside, is_hidden, link, put_back};
use super::stamp::Owner;
use super::work::Before;
use super::{Bundle, damaged};
use crate::error::{IoContext, Result};
use crate::files::Folder;
use crate::folder;
use crate::progress::Progress;

/// A bundle that nobody else works on.
pub struct Held {
    path: PathBuf,
    lock: Lock,
}

impl Bundle {
    /// Opens a whole bundle to run a stage on it: every file is the one that was written, by its SHA-256. The work is done
    /// beside it, as by [`Bundle::begin`], but what is not finished is not kept.
    ///
    /// # Errors
    /// As for [`Bundle::look`] and [`Bundle::hold`], and a file that is not the one that was written.
    pub fn open(path: &Path, progress: &dyn Progress) -> Result<Self> {
        Bundle::hold(path)?.open(progress)
    }

    /// Keeps others from working on a whole bundle, until what comes back is gone.
    ///
    /// # Errors
    /// As for [`Bundle::look`]; another run works on it.
    pub fn hold(path: &Path) -> Result<Held> {
        Bundle::look(path)?;
        let lock = Lock::take(&beside(&folder::place(path)?, "lock")?, path)?;
        Ok(Held { path: path.to_path_buf(), lock })
    }
}

impl Held {
    /// Opens the bundle to work on it, as [`Bundle::open`] does.
    ///
    /// # Errors
    /// As there.
    pub fn open(self, progress: &dyn Progress) -> Result<Bundle> {
        let Held { path: named, lock } = self;
        let path = folder::place(&named)?;
        put_back(&path)?;
        // Only now nobody else can change it.
        let found = Bundle::look_at(&path)?;
        let mut ledger = Ledger::read(&found.folder, false)?;
        progress.start("check files", found.manifest.files.len() as u64);
        for file in &found.manifest.files {
            progress.begin(&file.path);
            let (open, on_disk) = (found.folder.file(&file.path)?, path.join(&file.path));
            if ledger.products.hash(&file.path, &open, &on_disk, Owner::Us, false)? != file.sha256 {
                return Err(damaged(&on_disk));
            }
            progress.tick(&file.path);
        }
        progress.finish();
        let root = beside(&path, STAGE)?;
        std::fs::create_dir(&root).at(&root)?;
        // Hidden files are in no manifest; the ledger knows what they hold.
        let mut files: BTreeMap<String, FileRecord> = BTreeMap::new();
        for file in ledger.units.values().flat_map(|unit| &unit.files).filter(|file| is_hidden(&file.path)) {
            let Ok(open) = found.folder.file(&file.path) else { continue };
            if ledger.products.hash(&file.path, &open, &path.join(&file.path), Owner::Us, false)? == file.sha256 {
                files.insert(file.path.clone(), file.clone());
            }
        }
        files.extend(found.manifest.files.iter().map(|file| (file.path.clone(), file.clone())));
        let manifest = found.manifest.clone();
        let before = Before { folder: Folder::open(&path)?, manifest: manifest.clone() };
        let mut bundle =
            Bundle::at_work(Folder::open(&root)?, (&named, path), Some(before), ledger, false, false, lock)?;
        bundle.manifest = manifest;
        let mut state = bundle.state()?;
        for (name, file) in &files {
            if let Some(before) = bundle.work()?.before.as_ref() {
                link(&before.folder, name, &bundle.root.join(name))?;
            }
            state.ledger.products.note(name, &bundle.folder.file(name)?, &file.sha256)?;
        }
        state.files = files;
        drop(state);
        Ok(bundle)
    }
}

/// Notes anew what is known of files that lost a name since, so that they need not be read again; a bundle on a disk that takes no
/// more is as good without.
pub fn keep(ledger: &mut Ledger, bundle: &Path) {
    if let Ok(folder) = Folder::open(bundle) {
        ledger.products.renew(&folder);
        let _ = ledger.write(&folder);
    }
}
