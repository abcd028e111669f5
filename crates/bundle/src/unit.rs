//! Units of work. A unit whose key the ledger knows, here or in the bundle that is being replaced, is not done again;
//! its files are taken over by links.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::file_record::FileRecord;
use super::hash::{hash_bytes, hash_of};
use super::key::Key;
use super::ledger::{Ledger, Unit};
use super::making::{MAKING, Making, State};
use super::place::{link, make_parent, walk};
use super::round::round;
use super::stamp::Owner;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::{self, Folder};
use autoneural_base::folder::remove;
use autoneural_base::machine;
use autoneural_base::progress::Progress;

impl Making {
    /// SHA-256 of a file outside the bundle, in hexadecimal.
    ///
    /// # Errors
    /// The file is missing or cannot be read.
    pub fn hash_input(&self, path: &Path) -> Result<String> {
        let absolute = path.canonicalize().reading(path)?;
        let mut state = self.state()?;
        let State { ledger, before, .. } = &mut *state;
        let (name, file) = (absolute.to_string_lossy(), files::open(path)?);
        ledger.inputs.adopt(&name, &before.inputs);
        ledger.inputs.hash(&name, &file, path, Owner::Others, self.read_anew)
    }

    /// Does a unit of work, or takes over its result if it was done before with the same key. `work` fills a new
    /// folder, whose files then go to `folder` of the bundle. A unit replaces an earlier one of the same name. No two
    /// units may make the same file.
    ///
    /// # Errors
    /// `work` fails, or its files cannot be written.
    pub fn unit<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        folder: &str,
        key: Key,
        progress: &dyn Progress,
        work: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<T> {
        let key = key.digest();
        if let Some(found) = self.reuse(name, &key)? {
            progress.reuse(&name.replace('/', " "));
            return Ok(found);
        }
        let begun = Instant::now();
        // A name of this run's own: what a killed run started may still write for a moment.
        let making = self.path(format!("{MAKING}{}-{}", std::process::id(), name.replace('/', "-")));
        remove(&making)?;
        std::fs::create_dir(&making).at(&making)?;
        let made = work(&making).and_then(|found| Ok((records(&making, folder)?, found)));
        machine::release_memory();
        let (files, found) = made.inspect_err(|_| drop(remove(&making)))?;
        let stored = serde_json::to_value(&found).map_err(|error| Error::internal(name, error))?;
        let mut state = self.state()?;
        let old = state.ledger.units.remove(name).map(|unit| unit.files).unwrap_or_default();
        for file in old.iter().filter(|old| files.iter().all(|file| file.path != old.path)) {
            remove(&self.path(&file.path))?;
            self.files_mut().remove(&file.path);
        }
        for file in &files {
            let (from, to) = (making.join(relative(&file.path, folder)), self.path(&file.path));
            make_parent(&to)?;
            std::fs::rename(&from, &to).at(&to)?;
            let open = self.folder.file(&file.path)?;
            state.ledger.products.note(&file.path, &open, &file.sha256)?;
            state.flusher.add(open, to)?;
        }
        remove(&making)?;
        let unit = Unit { key, seconds: round(begun.elapsed().as_secs_f64()), files, found: stored };
        state.made.insert(name.to_string());
        state.changed = true;
        self.take(&mut state, name, unit);
        // A ledger is what makes the next run go on from here; checks alone are not worth it.
        if state.ledger.units.values().any(|unit| !unit.files.is_empty()) {
            state.ledger.write_meanwhile(&self.folder)?;
        }
        Ok(found)
    }

    /// Whether a unit of this name was done before with the same key, so that [`Making::unit`] takes it over.
    ///
    /// # Errors
    /// Another thread failed while it held the bundle's state.
    pub fn knows(&self, name: &str, key: &Key) -> Result<bool> {
        let (key, state) = (key.digest(), self.state()?);
        let known = |ledger: &Ledger| ledger.units.get(name).is_some_and(|unit| unit.key == key);
        Ok(known(&state.ledger) || known(&state.before))
    }

    /// Whether units of the bundle that is being replaced are known, that is, whether this build of the program made
    /// them on this machine.
    ///
    /// # Errors
    /// Another thread failed while it held the bundle's state.
    pub fn has_units_before(&self) -> Result<bool> {
        Ok(!self.state()?.before.units.is_empty())
    }

    fn reuse<T: DeserializeOwned>(&self, name: &str, key: &str) -> Result<Option<T>> {
        let mut state = self.state()?;
        let state = &mut *state;
        let known = |ledger: &Ledger| ledger.units.get(name).filter(|unit| unit.key == key).cloned();
        let found = |unit: &Unit| serde_json::from_value(unit.found.clone()).ok();
        if let Some(unit) = known(&state.ledger)
            && let Some(found) = found(&unit)
            && is_whole(&unit, &self.folder, &mut state.ledger, self.read_anew)
        {
            state.reused += 1;
            self.take(state, name, unit);
            return Ok(Some(found));
        }
        if let Some(replaced) = &self.replaced
            && let Some(unit) = known(&state.before)
            && let Some(found) = found(&unit)
            && is_whole(&unit, &replaced.folder, &mut state.before, self.read_anew)
        {
            for file in &unit.files {
                let to = self.path(&file.path);
                remove(&to)?;
                link(&replaced.folder, &file.path, &to)?;
                state.ledger.products.note(&file.path, &self.folder.file(&file.path)?, &file.sha256)?;
            }
            state.reused += 1;
            self.take(state, name, unit);
            return Ok(Some(found));
        }
        Ok(None)
    }

    /// Adds a file at the top of the bundle that is made from the results of units.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&self, path: &str, text: &str) -> Result<()> {
        self.folder.replace(path, text.as_bytes())?;
        let sha256 = hash_bytes(text.as_bytes());
        let record = FileRecord { path: path.to_string(), bytes: text.len() as u64, sha256 };
        let before = self.replaced.as_ref().and_then(|replaced| replaced.folder.file(path).ok());
        let before = before.and_then(|before| hash_of(&before, Path::new(path)).ok());
        let mut state = self.state()?;
        state.changed |= before.as_ref() != Some(&record.sha256);
        state.ledger.products.note(path, &self.folder.file(path)?, &record.sha256)?;
        self.files_mut().insert(path.to_string(), record);
        Ok(())
    }

    fn take(&self, state: &mut State, name: &str, unit: Unit) {
        self.files_mut().extend(unit.files.iter().map(|file| (file.path.clone(), file.clone())));
        state.ledger.units.insert(name.to_string(), unit.clone());
        state.asked.insert(name.to_string(), unit);
    }
}

/// Whether all files of a unit are those that it made.
fn is_whole(unit: &Unit, root: &Folder, ledger: &mut Ledger, read_anew: bool) -> bool {
    unit.files.iter().all(|file| {
        let open = root.file(&file.path);
        let path = root.path().join(&file.path);
        let made = open.and_then(|open| ledger.products.hash(&file.path, &open, &path, Owner::Us, read_anew));
        made.is_ok_and(|sha256| sha256 == file.sha256)
    })
}

/// The files in a folder, in that of a unit as they will be called in `folder` of the bundle.
///
/// # Errors
/// A file that cannot be read, or is no regular file.
pub fn records(making: &Path, folder: &str) -> Result<Vec<FileRecord>> {
    let (mut found, root) = (Vec::new(), Folder::open(making)?);
    walk(making, making, &mut |name, path| {
        let file = root.file(&name)?;
        let (bytes, sha256) = (file.metadata().at(path)?.len(), hash_of(&file, path)?);
        let place = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        found.push(FileRecord { path: place, bytes, sha256 });
        Ok(())
    })?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn relative<'a>(path: &'a str, folder: &str) -> &'a str {
    path.strip_prefix(folder).map_or(path, |rest| rest.trim_start_matches('/'))
}
