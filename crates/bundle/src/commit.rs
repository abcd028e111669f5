//! The end of the work on a bundle: it is moved to its final place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::file_record::is_hidden;
use super::making::Making;
use super::manifest::Manifest;
use super::place::{remove_strays, replace};
use autoneural_base::error::{Error, Result};
use autoneural_base::files::{self, Folder};
use autoneural_base::folder::remove;

/// How much work there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Units that were done.
    pub made: usize,
    /// Units that were done before.
    pub reused: usize,
}

/// A bundle that was made.
pub struct Committed {
    /// Where it is.
    pub place: PathBuf,
    /// How much work there was.
    pub tally: Tally,
    /// Whether the bundle that was there before is the same and was left alone.
    pub up_to_date: bool,
}

impl Making {
    /// Writes the manifest and moves the bundle to its final place, replacing the bundle that is there. If both are the
    /// same, the old one stays.
    ///
    /// # Errors
    /// The old bundle was changed or replaced by another program in the meantime, or files cannot be written or moved.
    pub fn commit(mut self) -> Result<Committed> {
        let files = std::mem::take(&mut *self.files_mut());
        let state = self.state()?;
        let asked: BTreeSet<String> = state.asked.keys().cloned().collect();
        let (tally, changed) = (Tally { made: state.made.len(), reused: state.reused }, state.changed);
        drop(state);
        self.manifest.files = files.values().filter(|file| !is_hidden(&file.path)).cloned().collect();
        for model in &mut self.manifest.models {
            model.context = model.context.take().filter(|context| files.contains_key(&context.model));
        }
        self.manifest.golden = self.manifest.golden.take().filter(|golden| files.contains_key(&golden.file));
        let (named, destination) = (self.named.clone(), self.destination.clone());
        self.refuse_another(&destination)?;
        let same = !changed && self.before().is_some_and(|(_, before)| self.manifest.says_the_same(before));
        let mut state = self.state()?;
        if self.resumable {
            state.ledger.units.retain(|name, _| asked.contains(name));
        }
        state.ledger.products.retain(|path| files.contains_key(path));
        let mut ledger = std::mem::take(&mut state.ledger);
        drop(state);
        if same {
            self.give_up();
            ledger.keep(&destination);
            return Ok(Committed { place: named, tally, up_to_date: true });
        }
        self.state()?.flusher.finish()?;
        remove_strays(self.root(), self.root(), &files)?;
        // What an earlier run left here may not be there, either. Most of it is by now, and costs nothing.
        files::flush(self.root())?;
        ledger.write(&self.folder)?;
        self.manifest.write(&self.folder)?;
        replace(self.root(), &destination)?;
        self.committed = true;
        ledger.keep(&destination);
        Ok(Committed { place: named, tally, up_to_date: false })
    }

    /// Refuses to go on if the bundle that this one was made from was replaced meanwhile, by a program that does not
    /// use the lock.
    fn refuse_another(&self, destination: &Path) -> Result<()> {
        let Some(replaced) = &self.replaced else { return Ok(()) };
        let now = Folder::open(destination).and_then(|now| Ok((now.identity()?, Manifest::read(&now)?)));
        match now {
            Ok((identity, now)) if identity == replaced.folder.identity()? && now.is(&replaced.manifest) => Ok(()),
            _ => Err(Error::input(self.named.display(), "was changed by somebody else while it was worked on")
                .help("nothing was written to it; run the command again")),
        }
    }

    fn give_up(&mut self) {
        let _ = remove(self.root());
        self.committed = true;
    }
}
