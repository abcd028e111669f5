//! Where samples come from: whatever a user names becomes a recipe, and everything after that reads only the recipe.

mod entry;
mod find;
mod folder;
mod init;
mod list;
mod written;

pub(crate) use entry::{Entry, Found, MOST};
pub(crate) use find::{find, spread};
pub use init::init;
pub(crate) use list::{file, one};

use std::path::{Path, PathBuf};

use crate::drivers::tensors::end_of;
use crate::drivers::{Intake, Takes};
use autoneural_base::error::{Error, Result};
use autoneural_core::program::Group;
use autoneural_core::recipe::{Origin, Recipe};
pub(crate) use written::sample_text;
use written::{groups_text, preprocess_text};

/// How many samples are taken of a folder or a file by default.
pub const SAMPLES: usize = 16;

/// What a user says of samples.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// A recipe, or where samples of calibration are.
    pub calibration: Option<PathBuf>,
    /// Where samples of verification are, as `calibration`; of a recipe those that judge are taken.
    pub verification: Option<PathBuf>,
    /// A recipe that states how to quantize, if `calibration` is not a recipe.
    pub recipe: Option<PathBuf>,
    /// Most samples that are taken of a folder or a file.
    pub most: Option<usize>,
}

/// Whether a path is that of a recipe.
pub fn is_recipe(path: &Path) -> bool {
    end_of(path) == "toml"
}

impl Given {
    /// The recipe that was given, or one of what was given instead. `what` tells the kind of samples that the program
    /// takes; it is called only if that matters.
    ///
    /// # Errors
    /// A recipe or files that cannot be read, samples that are none of the program's.
    pub fn recipe(&self, what: impl FnOnce() -> Result<Takes>) -> Result<Recipe> {
        if let Some(recipe) = self.whole_recipe()? {
            return Ok(recipe);
        }
        let calibration = self.calibration.as_deref();
        let (groups, intakes) = match what()? {
            Takes::Arrays { groups, intakes } => (groups, intakes),
            Takes::Words => return Err(self.refuse_words()),
        };
        let most = self.most.unwrap_or(SAMPLES);
        let bits = match (&self.recipe, calibration) {
            (Some(_), Some(path)) if is_recipe(path) => {
                return Err(Error::input("--recipe", "is given, and --calibration is a recipe, too")
                    .help("--calibration names the samples then: a folder, a list or a file of arrays"));
            }
            (Some(recipe), _) => Some(Recipe::without_samples(recipe)?),
            (None, Some(path)) if is_recipe(path) => Some(Recipe::without_samples(path)?),
            (None, _) => None,
        };
        let calibrating = match calibration {
            Some(path) if !is_recipe(path) => Some(find(path, &intakes)?),
            _ => None,
        };
        let judging = match &self.verification {
            Some(path) => Some(find(path, &intakes)?),
            None => None,
        };
        compose((&groups, &intakes), bits.as_ref(), [calibrating, judging], most)
    }

    /// The recipe that was given, if nothing else is asked for beside it: no program need be known to read it.
    ///
    /// # Errors
    /// A recipe that cannot be read.
    pub fn whole_recipe(&self) -> Result<Option<Recipe>> {
        match (&self.calibration, &self.verification, &self.recipe, self.most) {
            (Some(path), None, None, most) if is_recipe(path) => match most {
                None => Recipe::read(path).map(Some),
                Some(_) => Err(Error::input("--samples", "counts samples of a folder or file; a recipe names its own")),
            },
            _ => Ok(None),
        }
    }

    /// Samples for verification alone, beside what calibration left in the bundle.
    ///
    /// # Errors
    /// As for [`Given::recipe`].
    pub fn for_verification(&self, kept: Recipe, what: impl FnOnce() -> Result<Takes>) -> Result<Recipe> {
        let Some(path) = &self.verification else { return self.recipe(what) };
        let Takes::Arrays { groups, intakes } = what()? else { return Err(self.refuse_words()) };
        let (found, most) = (find(path, &intakes)?, self.most.unwrap_or(SAMPLES));
        let mut made = judging(kept, &found, (&groups, &intakes), most)?;
        made.notes.extend(notes_of("verification", &found, most));
        Ok(made)
    }

    fn refuse_words(&self) -> Error {
        let is_other = |path: &&PathBuf| !is_recipe(path);
        let given = [&self.calibration, &self.verification, &self.recipe];
        let other = given.iter().filter_map(|path| path.as_ref()).find(is_other);
        let (place, message) = match (other, &self.verification) {
            (Some(path), _) => (path.display().to_string(), "is no recipe"),
            (None, Some(path)) => (path.display().to_string(), "stands beside the recipe"),
            (None, None) => ("--recipe".to_string(), "stands beside the samples"),
        };
        Error::input(place, format!("{message}; this model is asked with pictures and words, which one recipe has"))
            .help("name a recipe with `[[calibration]]` and `[[verification]]` samples: `--calibration RECIPE.toml`")
    }
}

/// A bundle's recipe with other samples that judge, and none that calibrate. What it says of pictures holds for them.
///
/// # Errors
/// A path that leaves the folder of the samples.
pub(crate) fn judging(
    kept: Recipe,
    found: &Found,
    (groups, intakes): (&[Group], &[Intake]),
    most: usize,
) -> Result<Recipe> {
    let mut made = kept;
    let body = written(intakes, Some(&made), [Some(found); 2], most);
    let text = format!("{}{body}", groups_text(&made.name, groups));
    let own = Recipe::compose(text, &found.origin.place, [&found.origin; 2])?;
    // What calibrated is not run again, and need not be there any more.
    made.calibration.clear();
    made.verification = own.verification;
    for (name, preprocess) in own.preprocess {
        made.preprocess.entry(name).or_insert(preprocess);
    }
    Ok(made)
}

/// A recipe of what was found: calibration and verification.
fn compose(
    (groups, intakes): (&[Group], &[Intake]),
    bits: Option<&Recipe>,
    [calibrating, judging]: [Option<Found>; 2],
    most: usize,
) -> Result<Recipe> {
    let named = |bits: &Recipe, list: &str| {
        Error::input(format!("{}: {list}", bits.path().display()), "has samples of its own, and others are given, too")
            .help(format!("leave out --{list}, or the `[[{list}]]` samples of the recipe"))
    };
    if let Some(bits) = bits {
        if calibrating.is_some() && !bits.calibration.is_empty() {
            return Err(named(bits, "calibration"));
        }
        if judging.is_some() && !bits.verification.is_empty() {
            return Err(named(bits, "verification"));
        }
    }
    let place = bits.map(|bits| bits.path().to_path_buf());
    let beside = place.as_deref().map(Origin::beside);
    let origin = |found: &Option<Found>| found.as_ref().map(|found| found.origin.clone());
    let judges_itself = bits.is_some_and(|bits| !bits.verification.is_empty());
    let verification = if judges_itself { beside.clone() } else { origin(&judging) };
    let calibration = origin(&calibrating).or(beside);
    let Some(calibration) = calibration else {
        return Err(Error::input("--calibration", "names no samples").help("name a recipe, a folder, a list or a file"));
    };
    let place = place.unwrap_or_else(|| calibration.place.clone());
    let verification = verification.unwrap_or_else(|| calibration.clone());
    let body = written(intakes, bits, [calibrating.as_ref(), judging.as_ref()], most);
    let head = match bits {
        Some(bits) => bits.text().to_string(),
        None => {
            let name =
                calibration.place.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            groups_text(&name, groups)
        }
    };
    let mut made = Recipe::compose(format!("{}\n{body}", head.trim_end()), &place, [&calibration, &verification])?;
    for (list, found) in [("calibration", &calibrating), ("verification", &judging)] {
        if let Some(found) = found {
            made.notes.extend(notes_of(list, found, most));
        }
    }
    if bits.is_none() {
        let message = "no recipe says how to quantize: W8A16 is taken, 8-bit weights and 16-bit activations";
        made.notes.push(("calibration", message.into(), "`autoneural init` writes a recipe; give it as --recipe"));
    }
    for (name, preprocess) in
        made.preprocess.iter().filter(|(name, _)| bits.is_none_or(|bits| !bits.preprocess.contains_key(*name)))
    {
        let message = format!("nothing says how pictures become `{name}`; taken: {}", preprocess.words());
        made.notes.push(("calibration", message, "state it in the recipe: `[preprocess.INPUT]`"));
    }
    Ok(made)
}

/// What a person should know of a list of samples, and what to do about it.
type Note = (&'static str, String, &'static str);

/// Which of what was found is not taken.
fn notes_of(list: &'static str, found: &Found, most: usize) -> Vec<Note> {
    let mut made = Vec::new();
    if found.entries.len() > most {
        let message = format!("{most} of {} samples are taken, evenly spread", found.entries.len());
        made.push((list, message, "--samples takes more or fewer"));
    }
    let left: Vec<String> = found.left_out.iter().take(3).map(|name| format!("`{name}`")).collect();
    let more = found.left_out.len() - left.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!("{}{more} in the folder are no samples", left.join(", "));
    if !left.is_empty() {
        made.push((list, message, "take them out of the folder, or name the samples in a list"));
    }
    made
}

/// The samples as they stand in a recipe, and what is guessed of pictures.
fn written(intakes: &[Intake], bits: Option<&Recipe>, lists: [Option<&Found>; 2], most: usize) -> String {
    let mut text = String::new();
    for found in lists.iter().flatten() {
        for intake in intakes.iter().filter(|intake| found.has_pictures_of(intake)) {
            let whole = format!("{}/{}", intake.graph, intake.name);
            let is_stated =
                |bits: &Recipe| bits.preprocess.contains_key(&intake.name) || bits.preprocess.contains_key(&whole);
            let table = preprocess_text(intake);
            if !bits.is_some_and(is_stated) && !text.contains(&table) {
                text.push_str(&format!("\n{table}"));
            }
        }
    }
    for (list, found) in ["calibration", "verification"].iter().zip(lists) {
        for entry in found.map_or(vec![], |found| spread(&found.entries, most)) {
            text.push_str(&format!("\n[[{list}]]\n{}", sample_text(entry)));
        }
    }
    text
}
