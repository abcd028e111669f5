//! A locked bundle, for commands that change something in it.

use std::path::{Path, PathBuf};

use super::bundle::{Bundle, Files, damaged};
use super::file_record::is_hidden;
use super::ledger::Ledger;
use super::lock::Lock;
use super::making::{Making, Replaced};
use super::place::{STAGE, beside, link, put_back};
use super::stamp::Owner;
use autoneural_base::error::{IoContext, Result};
use autoneural_base::files::Folder;
use autoneural_base::folder;
use autoneural_base::progress::Progress;

/// A complete bundle whose lock this process holds.
pub struct Held {
    path: PathBuf,
    lock: Lock,
}

impl Making {
    /// Opens a complete bundle to run a stage on it, and checks the SHA-256 of every file. The work is done in a folder
    /// beside it, as by [`Making::begin`], but unfinished work is not kept.
    ///
    /// # Errors
    /// As for [`Bundle::look`] and [`Held::take`], and a file that is not the one that was written.
    pub fn open(path: &Path, progress: &dyn Progress) -> Result<Self> {
        Held::take(path)?.open(progress)
    }
}

impl Held {
    /// Locks a complete bundle until the returned value is dropped.
    ///
    /// # Errors
    /// As for [`Bundle::look`]; another run works on it.
    pub fn take(path: &Path) -> Result<Self> {
        Bundle::look(path)?;
        let lock = Lock::take(&beside(&folder::place(path)?, "lock")?, path)?;
        Ok(Held { path: path.to_path_buf(), lock })
    }

    /// Opens the bundle to work on it, as [`Making::open`] does.
    ///
    /// # Errors
    /// As there.
    pub fn open(self, progress: &dyn Progress) -> Result<Making> {
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
        let mut files = Files::new();
        for file in ledger.units.values().flat_map(|unit| &unit.files).filter(|file| is_hidden(&file.path)) {
            let Ok(open) = found.folder.file(&file.path) else { continue };
            if ledger.products.hash(&file.path, &open, &path.join(&file.path), Owner::Us, false)? == file.sha256 {
                files.insert(file.path.clone(), file.clone());
            }
        }
        files.extend(found.manifest.files.iter().map(|file| (file.path.clone(), file.clone())));
        let manifest = found.manifest.clone();
        let replaced = Folder::open(&path)?;
        let before = Some(Replaced { folder: Folder::open(&path)?, manifest: manifest.clone() });
        let mut making = Making::at_work(Folder::open(&root)?, (&named, path), before, ledger, false, false, lock)?;
        making.manifest = manifest;
        let mut state = making.state()?;
        for (name, file) in &files {
            link(&replaced, name, &making.path(name))?;
            state.ledger.products.note(name, &making.folder.file(name)?, &file.sha256)?;
        }
        drop(state);
        *making.files_mut() = files;
        Ok(making)
    }
}
