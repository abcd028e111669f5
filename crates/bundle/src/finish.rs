//! The end of a stage: what it left is noted, and what no longer follows from it is taken out.

use std::collections::BTreeSet;
use std::path::Path;

use super::file_record::{FileRecord, is_hidden, models};
use super::making::Making;
use super::manifest::StageRecord;
use super::paths::{EQUALIZED, RECIPE, REPORT};
use super::round::round;
use super::stage::Stage;
use autoneural_base::error::{Error, Result};
use autoneural_base::text;
use autoneural_core::recipe::Recipe;

impl Making {
    /// Notes a stage as done, with the time that its units took, whenever that was, and the command line of the run
    /// that last made something of it. What the stage left before and did not make again is taken out.
    pub fn finish_stage(&mut self, stage: Stage) -> Result<()> {
        let state = self.state()?;
        let units = state.asked.iter().filter(|(name, _)| stage.is_of(name));
        let seconds = units.clone().map(|(_, unit)| unit.seconds).sum();
        let made: BTreeSet<String> =
            units.flat_map(|(_, unit)| unit.files.iter().map(|file| file.path.clone())).collect();
        self.files_mut().retain(|path, _| !stage.owns_file(path) || made.contains(path) || path == REPORT);
        let is_made = state.made.iter().any(|unit| stage.is_of(unit));
        drop(state);
        let earlier = self.before().map_or(&[][..], |(_, manifest)| &manifest.stages);
        let earlier = self.manifest.stages.iter().chain(earlier).find(|record| record.name == stage.name());
        let earlier = earlier.filter(|_| !is_made).and_then(|record| record.command.clone());
        let command = earlier.or_else(|| self.command.clone());
        let stages = &mut self.manifest.stages;
        stages.retain(|record| record.name != stage.name());
        stages.push(StageRecord { name: stage.name().into(), seconds: round(seconds), command });
        stages.sort_by_key(|record| Stage::ALL.iter().position(|stage| stage.name() == record.name));
        Ok(())
    }

    /// Takes out graphs that an earlier run rewrote with evidence: those of export stand for themselves again.
    pub fn drop_equalized(&mut self) {
        self.files_mut().retain(|path, _| !path.starts_with(EQUALIZED));
    }

    /// Takes out what later stages made, if this stage made something else than what they read. Whether there is a
    /// report less.
    pub fn drop_later(&mut self, stage: Stage) -> Result<bool> {
        // Of the recipe they read what says how to quantize.
        let is_same_recipe = self.has_same_bits()?;
        let mut files = self.files_mut();
        let of_stage = |path: &str| stage.owns_file(path) && !is_hidden(path) && !(path == RECIPE && is_same_recipe);
        let now: Vec<(&str, &str)> = pairs(files.values()).filter(|(path, _)| of_stage(path)).collect();
        let before = self.before().map(|(_, manifest)| manifest.files.as_slice()).unwrap_or_default();
        if now == pairs(before.iter()).filter(|(path, _)| of_stage(path)).collect::<Vec<_>>() {
            return Ok(false);
        }
        let had_report = files.contains_key(REPORT);
        let is_later = |path: &str| Stage::ALL.iter().any(|later| *later > stage && later.owns_file(path));
        files.retain(|path, _| !is_later(path));
        drop(files);
        self.state()?.changed = true;
        let is_later = |name: &str| Stage::ALL.iter().any(|later| *later > stage && later.name() == name);
        self.manifest.stages.retain(|record| !is_later(&record.name));
        self.manifest.warnings.retain(|warning| !is_later(&warning.stage));
        Ok(had_report && !self.has_file(REPORT))
    }

    /// Whether the recipe's copy says the same of how to quantize as that of the bundle at the destination.
    fn has_same_bits(&self) -> Result<bool> {
        let bits = |bytes: Vec<u8>| {
            let text = text::utf8(Path::new(RECIPE), bytes)?;
            Ok::<_, Error>(Recipe::parse(text, Path::new(RECIPE))?.quantization())
        };
        let (Some(before), true) = (self.before_text(RECIPE, text::LARGEST), self.has_file(RECIPE)) else {
            return Ok(false);
        };
        let now = self.folder.read(RECIPE, text::LARGEST)?;
        Ok(bits(before).ok().is_some_and(|before| bits(now).is_ok_and(|now| now == before)))
    }

    /// Whether the models are those of the bundle at the destination.
    pub fn has_same_models(&self) -> Result<bool> {
        let Some((_, before)) = self.before() else { return Ok(false) };
        Ok(models(self.files().values()).eq(models(before.files.iter())))
    }
}

/// Path and contents of files.
fn pairs<'a>(files: impl Iterator<Item = &'a FileRecord>) -> impl Iterator<Item = (&'a str, &'a str)> {
    files.map(|file| (file.path.as_str(), file.sha256.as_str()))
}
