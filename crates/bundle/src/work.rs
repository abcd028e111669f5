//! A bundle in the making: a hidden folder beside the place where it will be, laid out as the bundle, with a ledger.
//!
//! Work is done in units that are not done again where nothing changed. So a run that was killed goes on where it was, and
//! a run that finds nothing changed ends where it began.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::hold::keep;
use super::ledger::{LEDGER, Ledger, Unit};
use super::lock::Lock;
use super::manifest::{FileRecord, Manifest, StageRecord, models};
use super::place::{WORK, beside, is_hidden, put_back, remove_strays, replace, workplace};
use super::{Bundle, MANIFEST, RECIPE, REPORT, Stage, remove, round};
use crate::error::{Error, IoContext, Result};
use crate::files::{self, Flusher, Folder};
use crate::folder;
use crate::recipe::Recipe;

/// Start of the names of folders in which units are made.
pub const MAKING: &str = ".making-";

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

/// How a bundle in the making differs from one that is looked at.
pub struct Work {
    /// What the user calls it.
    named: PathBuf,
    /// Where that is: a link leads there.
    destination: PathBuf,
    /// What is at the destination now, and may be used.
    pub before: Option<Before>,
    /// Whether what was finished is kept when the work ends early.
    resumable: bool,
    /// Whether stamps are not believed.
    pub read_anew: bool,
    /// The command line of this run.
    command: Option<String>,
    state: Mutex<State>,
    committed: bool,
    // Let go last.
    _lock: Lock,
}

/// The bundle that is being replaced.
pub struct Before {
    /// Its folder.
    pub folder: Folder,
    /// Its manifest.
    pub manifest: Manifest,
}

/// What changes while units are worked on, by several threads.
pub struct State {
    /// What is known of this folder.
    pub ledger: Ledger,
    /// What is known of the bundle that is being replaced.
    pub before: Ledger,
    /// Files of the bundle so far, hidden ones too.
    pub files: BTreeMap<String, FileRecord>,
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

/// How much work there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Units that were done.
    pub made: usize,
    /// Units that were done before.
    pub reused: usize,
}

/// What became of a bundle in the making.
pub struct Outcome {
    /// Where it is.
    pub place: PathBuf,
    /// How much work there was.
    pub tally: Tally,
    /// Whether the bundle that was there before is the same and was left alone.
    pub up_to_date: bool,
}

impl Bundle {
    /// Begins a bundle beside `out`, or goes on with one that an earlier run left there; [`Bundle::commit`] moves it to its
    /// place. Until then, and if that never comes, nothing of the name `out` changes. With `read_anew` all files are read,
    /// whatever the file system says of them.
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
            before = Some(Before { folder, manifest });
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

    pub(super) fn at_work(
        folder: Folder,
        (named, destination): (&Path, PathBuf),
        before: Option<Before>,
        ledger: Ledger,
        resumable: bool,
        read_anew: bool,
        lock: Lock,
    ) -> Result<Self> {
        let mut known = Ledger::default();
        if let Some(before) = &before {
            known = Ledger::read(&before.folder, read_anew)?;
        }
        // What an earlier run in this folder changed is not in the bundle at the destination.
        let changed = resumable && !ledger.units.is_empty();
        let state = State {
            ledger,
            before: known,
            files: BTreeMap::new(),
            asked: BTreeMap::new(),
            made: BTreeSet::new(),
            reused: 0,
            changed,
            flusher: Flusher::default(),
        };
        let work = Work {
            named: named.to_path_buf(),
            destination,
            before,
            resumable,
            read_anew,
            command: None,
            state: Mutex::new(state),
            committed: false,
            _lock: lock,
        };
        let root = folder.path().to_path_buf();
        let bundle = Bundle { root, folder, manifest: Manifest::default(), work: Some(work) };
        bundle.remove_unfinished()?;
        Ok(bundle)
    }

    /// What there is only of a bundle in the making.
    pub(super) fn work(&self) -> Result<&Work> {
        self.work.as_ref().ok_or_else(|| Error::internal(self.root.display(), "was opened to look at, not to work on"))
    }

    /// What changes while units are worked on.
    pub(super) fn state(&self) -> Result<MutexGuard<'_, State>> {
        let broken = |_| Error::internal(self.root.display(), "work on it broke off");
        self.work()?.state.lock().map_err(broken)
    }

    /// The bundle at the destination that this one may take over from: its folder and its manifest.
    pub fn before(&self) -> Option<(&Path, &Manifest)> {
        let before = self.work.as_ref()?.before.as_ref()?;
        Some((before.folder.path(), &before.manifest))
    }

    /// States the command line of this run, which stays with the stages that it carries out.
    pub fn set_command(&mut self, command: String) {
        if let Some(work) = &mut self.work {
            work.command = Some(command);
        }
    }

    /// Notes a stage as done, with the time that its units took, whenever that was, and the command line of the run that last
    /// made something of it. What the stage left before and did not make again is taken out.
    pub fn finish_stage(&mut self, stage: Stage) -> Result<()> {
        let mut state = self.state()?;
        let units = state.asked.iter().filter(|(name, _)| stage.is_of(name));
        let seconds = units.clone().map(|(_, unit)| unit.seconds).sum();
        let made: BTreeSet<String> =
            units.flat_map(|(_, unit)| unit.files.iter().map(|file| file.path.clone())).collect();
        state.files.retain(|path, _| !stage.owns_file(path) || made.contains(path) || path == REPORT);
        let is_made = state.made.iter().any(|unit| stage.is_of(unit));
        drop(state);
        let earlier = self.before().map_or(&[][..], |(_, manifest)| &manifest.stages);
        let earlier = self.manifest.stages.iter().chain(earlier).find(|record| record.name == stage.name());
        let earlier = earlier.filter(|_| !is_made).and_then(|record| record.command.clone());
        let command = earlier.or_else(|| self.work.as_ref()?.command.clone());
        let stages = &mut self.manifest.stages;
        stages.retain(|record| record.name != stage.name());
        stages.push(StageRecord { name: stage.name().into(), seconds: round(seconds), command });
        stages.sort_by_key(|record| Stage::ALL.iter().position(|stage| stage.name() == record.name));
        Ok(())
    }

    /// Takes out what later stages made, if this stage made something else than what they read. Whether there is a report less.
    pub fn drop_later(&mut self, stage: Stage) -> Result<bool> {
        // Of the recipe they read what says how to quantize.
        let is_same_recipe = self.has_same_bits()?;
        let mut state = self.state()?;
        let of_stage = |path: &str| stage.owns_file(path) && !is_hidden(path) && !(path == RECIPE && is_same_recipe);
        let now: Vec<(&str, &str)> = pairs(state.files.values()).filter(|(path, _)| of_stage(path)).collect();
        let before = self.before().map(|(_, manifest)| manifest.files.as_slice()).unwrap_or_default();
        if now == pairs(before.iter()).filter(|(path, _)| of_stage(path)).collect::<Vec<_>>() {
            return Ok(false);
        }
        let had_report = state.files.contains_key(REPORT);
        let is_later = |path: &str| Stage::ALL.iter().any(|later| *later > stage && later.owns_file(path));
        state.files.retain(|path, _| !is_later(path));
        state.changed = true;
        drop(state);
        let is_later = |name: &str| Stage::ALL.iter().any(|later| *later > stage && later.name() == name);
        self.manifest.stages.retain(|record| !is_later(&record.name));
        self.manifest.warnings.retain(|warning| !is_later(&warning.stage));
        Ok(had_report && !self.has_file(REPORT))
    }

    /// Whether the recipe's copy says the same of how to quantize as that of the bundle at the destination.
    fn has_same_bits(&self) -> Result<bool> {
        let bits = |text: Vec<u8>| {
            let text = crate::text::utf8(Path::new(RECIPE), text)?;
            Ok::<_, Error>(Recipe::parse(text, Path::new(RECIPE))?.bits())
        };
        let (Some(before), true) = (self.before_text(RECIPE, crate::text::LARGEST), self.has_file(RECIPE)) else {
            return Ok(false);
        };
        let now = self.folder.read(RECIPE, crate::text::LARGEST)?;
        Ok(bits(before).ok().is_some_and(|before| bits(now).is_ok_and(|now| now == before)))
    }

    /// Whether the bundle has a file; one that a run before left here is none of it.
    pub fn has_file(&self, path: &str) -> bool {
        match self.state() {
            Ok(state) => state.files.contains_key(path),
            Err(_) => self.manifest.files.iter().any(|file| file.path == path),
        }
    }

    /// Whether the models are those of the bundle at the destination.
    pub fn has_same_models(&self) -> Result<bool> {
        let Some((_, before)) = self.before() else { return Ok(false) };
        let state = self.state()?;
        Ok(models(state.files.values()).eq(models(before.files.iter())))
    }

    /// Writes the manifest and gives the bundle its name, in place of the one that is there. If that is the same already it
    /// stays.
    pub fn commit(mut self) -> Result<Outcome> {
        let mut state = self.state()?;
        let files = std::mem::take(&mut state.files);
        let asked: BTreeSet<String> = state.asked.keys().cloned().collect();
        let (tally, changed) = (Tally { made: state.made.len(), reused: state.reused }, state.changed);
        drop(state);
        self.manifest.files = files.values().filter(|file| !is_hidden(&file.path)).cloned().collect();
        for model in &mut self.manifest.models {
            model.context = model.context.take().filter(|context| files.contains_key(&context.model));
        }
        self.manifest.golden = self.manifest.golden.take().filter(|golden| files.contains_key(&golden.file));
        let (named, destination) = (self.work()?.named.clone(), self.work()?.destination.clone());
        self.refuse_another(&destination)?;
        let same = !changed && self.before().is_some_and(|(_, before)| self.manifest.says_the_same(before));
        let mut state = self.state()?;
        if self.work()?.resumable {
            state.ledger.units.retain(|name, _| asked.contains(name));
        }
        state.ledger.products.retain(|path| files.contains_key(path));
        let mut ledger = std::mem::take(&mut state.ledger);
        drop(state);
        if same {
            self.give_up();
            keep(&mut ledger, &destination);
            return Ok(Outcome { place: named, tally, up_to_date: true });
        }
        self.state()?.flusher.finish()?;
        remove_strays(&self.root, &self.root, &files)?;
        // What an earlier run left here may not be there, either. Most of it is by now, and costs nothing.
        files::flush(&self.root)?;
        ledger.write(&self.folder)?;
        self.manifest.write(&self.folder)?;
        replace(&self.root, &destination)?;
        if let Some(work) = &mut self.work {
            work.committed = true;
        }
        keep(&mut ledger, &destination);
        Ok(Outcome { place: named, tally, up_to_date: false })
    }

    /// Refuses to go on where the bundle that this one was made from is not there any more: somebody who knows no locks put
    /// another one in its place.
    fn refuse_another(&self, destination: &Path) -> Result<()> {
        let work = self.work()?;
        let Some(before) = &work.before else { return Ok(()) };
        let now = Folder::open(destination).and_then(|now| Ok((now.identity()?, Manifest::read(&now)?)));
        match now {
            Ok((identity, now)) if identity == before.folder.identity()? && now.is(&before.manifest) => Ok(()),
            _ => Err(Error::input(work.named.display(), "was changed by somebody else while it was worked on")
                .help("nothing was written to it; run the command again")),
        }
    }

    /// What is left of a run that ends early, for a note to the user: the folder in which the next run goes on.
    pub fn kept(out: &Path) -> Option<PathBuf> {
        beside(&folder::place(out).ok()?, WORK).ok().filter(|root| root.join(LEDGER).is_file())
    }

    fn give_up(&mut self) {
        let _ = remove(&self.root);
        if let Some(work) = &mut self.work {
            work.committed = true;
        }
    }

    fn remove_unfinished(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.root).at(&self.root)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(MAKING) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let Some(work) = &self.work else { return };
        if work.committed {
            return;
        }
        if work.resumable && self.root.join(LEDGER).is_file() {
            let _ = self.remove_unfinished();
        } else {
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }
}

/// Path and contents of files.
fn pairs<'a>(files: impl Iterator<Item = &'a FileRecord>) -> impl Iterator<Item = (&'a str, &'a str)> {
    files.map(|file| (file.path.as_str(), file.sha256.as_str()))
}
