//! A bundle in the making: a hidden folder beside the place where it will be, laid out as the bundle, with a ledger.
//!
//! Work is done in units, which are not done again if nothing that they read has changed. So a run after one that was
//! killed goes on where that one was, and a run for which nothing changed does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::bundle::{Bundle, Files};
use super::hash::hash_bytes;
use super::ledger::{Ledger, Unit};
use super::lock::Lock;
use super::manifest::Manifest;
use super::paths::{LEDGER, MANIFEST};
use super::place::{WORK, beside, put_back, workplace};
use super::stage::Stage;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::{Flusher, Folder};
use autoneural_base::folder::{self, remove};

/// Start of the names of folders in which units are made.
pub(crate) const MAKING: &str = ".making-";

/// What may be at the place of the new bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Nothing.
    New,
    /// A bundle, of which nothing is used.
    Replace,
    /// A bundle, of which what is unchanged is taken over.
    Update,
}

/// A bundle in the making, which is locked. The finished part of it is read as a [`Bundle`].
pub struct Making {
    bundle: Bundle,
    /// What the user calls it.
    pub(crate) named: PathBuf,
    /// Where that is: a link leads there.
    pub(crate) destination: PathBuf,
    /// What is at the destination now, and may be used.
    pub(crate) replaced: Option<Replaced>,
    /// Whether what was finished is kept when the work ends early.
    pub(crate) resumable: bool,
    /// Whether stamps are not believed.
    pub(crate) read_anew: bool,
    /// The command line of this run.
    pub(crate) command: Option<String>,
    state: Mutex<State>,
    pub(crate) committed: bool,
    // Let go last.
    _lock: Lock,
}

/// The bundle that is being replaced.
pub(crate) struct Replaced {
    /// Its folder.
    pub folder: Folder,
    /// Its manifest.
    pub manifest: Manifest,
}

/// What changes while units are worked on, by several threads.
pub(crate) struct State {
    /// What is known of this folder.
    pub ledger: Ledger,
    /// What is known of the bundle that is being replaced.
    pub before: Ledger,
    /// Units that this run asked for, with their files.
    pub asked: BTreeMap<String, Unit>,
    /// Units that this run made.
    pub made: BTreeSet<String>,
    /// How many units were done before.
    pub reused: usize,
    /// Whether anything is other than in the bundle at the destination.
    pub changed: bool,
    /// Brings what was made to the disk.
    pub flusher: Flusher,
}

impl Deref for Making {
    type Target = Bundle;

    fn deref(&self) -> &Bundle {
        &self.bundle
    }
}

/// Its manifest is filled while it is made.
impl DerefMut for Making {
    fn deref_mut(&mut self) -> &mut Bundle {
        &mut self.bundle
    }
}

impl Making {
    /// Begins a bundle beside `out`, or goes on with one that an earlier run left there; [`Making::commit`] moves it to
    /// its place. Until then, and if that never comes, nothing of the name `out` changes. With `read_anew` all files
    /// are read, whatever the file system says of them.
    ///
    /// # Errors
    /// `out` is something else than `how` allows, or another run is making it.
    pub fn begin(out: &Path, how: Begin, read_anew: bool) -> Result<Self> {
        let exists = |path: &Path| path.symlink_metadata().is_ok();
        let place = folder::place(out)?;
        if exists(&place) {
            if how == Begin::New {
                return Err(Error::input(out.display(), "exists already")
                    .help("choose another folder with --out, or replace this bundle with --force"));
            }
            if !Folder::open(&place).is_ok_and(|folder| folder.has(MANIFEST)) {
                return Err(Error::input(out.display(), "exists and is no bundle (it has no manifest.json)")
                    .help("only bundles are replaced; choose another folder with --out"));
            }
        }
        let root = beside(&place, WORK)?;
        let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).at(parent)?;
        let lock = Lock::take(&beside(&place, "lock")?, out)?;
        put_back(&place)?;
        let mut before = None;
        if exists(&place) && how == Begin::Update {
            let folder = Folder::open(&place)?;
            let manifest = Manifest::read(&folder).map_err(|error| error.help("--force replaces it"))?;
            before = Some(Replaced { folder, manifest });
        }
        if how == Begin::Replace {
            remove(&root)?;
        }
        let mut folder = workplace(&root)?;
        let ledger = Ledger::read(&folder, read_anew)?;
        if ledger.units.is_empty() {
            // Nothing here is known to be what it should be.
            remove(&root)?;
            folder = workplace(&root)?;
        }
        Self::at_work(folder, (out, place), before, ledger, true, read_anew, lock)
    }

    pub(crate) fn at_work(
        folder: Folder,
        (named, destination): (&Path, PathBuf),
        replaced: Option<Replaced>,
        ledger: Ledger,
        resumable: bool,
        read_anew: bool,
        lock: Lock,
    ) -> Result<Self> {
        let mut known = Ledger::default();
        if let Some(replaced) = &replaced {
            known = Ledger::read(&replaced.folder, read_anew)?;
        }
        // What an earlier run in this folder changed is not in the bundle at the destination.
        let changed = resumable && !ledger.units.is_empty();
        let state = State {
            ledger,
            before: known,
            asked: BTreeMap::new(),
            made: BTreeSet::new(),
            reused: 0,
            changed,
            flusher: Flusher::default(),
        };
        let making = Making {
            bundle: Bundle::of(folder, Manifest::default(), Files::new()),
            named: named.to_path_buf(),
            destination,
            replaced,
            resumable,
            read_anew,
            command: None,
            state: Mutex::new(state),
            committed: false,
            _lock: lock,
        };
        making.remove_unfinished()?;
        Ok(making)
    }

    /// What changes while units are worked on.
    pub(crate) fn state(&self) -> Result<MutexGuard<'_, State>> {
        let broken = |_| Error::internal(self.root().display(), "work on it broke off");
        self.state.lock().map_err(broken)
    }

    /// The bundle at the destination that this one may take over from: its folder and its manifest.
    pub fn before(&self) -> Option<(&Path, &Manifest)> {
        let replaced = self.replaced.as_ref()?;
        Some((replaced.folder.path(), &replaced.manifest))
    }

    /// The contents of a file of the bundle that is being replaced, if this program made it on this machine and it has
    /// not changed since.
    pub fn made_here_before(&self, path: &str, most: u64) -> Option<Vec<u8>> {
        let bytes = self.before_text(path, most)?;
        let noted = self.state().ok()?.before.products.noted(path)? == hash_bytes(&bytes);
        noted.then_some(bytes)
    }

    /// The contents of a file of the bundle that is being replaced, whoever wrote it.
    pub fn before_text(&self, path: &str, most: u64) -> Option<Vec<u8>> {
        self.replaced.as_ref()?.folder.read(path, most).ok()
    }

    /// Refuses a stage if the stage before it has not run.
    ///
    /// # Errors
    /// It has not.
    pub fn require(&self, stage: Stage) -> Result<()> {
        let before = Stage::ALL.iter().rev().find(|other| **other < stage && **other != Stage::Build);
        match before.filter(|before| !self.manifest.has(before.name())) {
            Some(before) => {
                let place = self.before().map_or(self.root(), |(root, _)| root);
                let message = format!("`{}` has not run", before.name());
                Err(Error::input(place.display(), message).help(format!("run `autoneural {}` first", before.name())))
            }
            None => Ok(()),
        }
    }

    /// States the command line of this run, which stays with the stages that it carries out.
    pub fn set_command(&mut self, command: String) {
        self.command = Some(command);
    }

    /// What is left of a run that ends early, for a note to the user: the folder in which the next run goes on.
    pub fn kept(out: &Path) -> Option<PathBuf> {
        beside(&folder::place(out).ok()?, WORK).ok().filter(|root| root.join(LEDGER).is_file())
    }

    pub(crate) fn remove_unfinished(&self) -> Result<()> {
        for entry in std::fs::read_dir(self.root()).at(self.root())?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(MAKING) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        if self.resumable && self.root().join(LEDGER).is_file() {
            let _ = self.remove_unfinished();
        } else {
            let _ = std::fs::remove_dir_all(self.root());
        }
    }
}
