//! Recipes: TOML files that name the samples of a model and state how each group of its graphs is quantized.

mod bits;
mod observers;
mod origin;
mod part;
mod paths;
mod preprocess;
mod sample;
mod windows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::encoding::IntegerType;
use crate::goals::Goals;
use crate::partition::Partition;
use crate::program::Group;
use autoneural_base::error::{Error, Result};
use autoneural_base::mistakes;

pub use bits::{BlockScales, GeluForm, Products, WeightBits};
pub use observers::Observers;
pub use origin::Origin;
pub use part::PartRecipe;
pub use preprocess::{Colors, Layout, Preprocess, Resize, Size, quoted};
pub use sample::{Arrays, Role, Said, Sample, Words};
pub use windows::{Window, Windows};

/// Most tokens that may be decoded after a prompt during calibration and verification.
const MOST_STEPS: usize = 4096;
/// The key of a recipe that states their number.
const STEPS: &str = "decode_steps";

/// A recipe with its samples.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    schema: u32,
    /// Name of the recipe.
    pub name: String,
    #[serde(default, rename = "decode_steps")]
    steps: Option<usize>,
    #[serde(rename = "recipe")]
    parts: BTreeMap<Group, PartRecipe>,
    /// Exceptions from `parts`. Of several that fit a tensor the last one counts.
    #[serde(default, rename = "override")]
    overrides: Vec<Override>,
    /// What the figures must reach. The bundle's models do not depend on it.
    #[serde(default, rename = "goal")]
    pub goals: Goals,
    /// How pictures become inputs of graphs that take arrays, by the input's name, `INPUT` or `GRAPH/INPUT`.
    #[serde(default)]
    pub preprocess: BTreeMap<String, Preprocess>,
    /// Samples whose statistics give the ranges.
    #[serde(default)]
    pub calibration: Vec<Sample>,
    /// Samples on which the results are compared.
    #[serde(default)]
    pub verification: Vec<Sample>,
    /// Notes for the user about lists of samples: the name of the list, the note, and what to do about it.
    #[serde(skip)]
    pub notes: Vec<(&'static str, String, &'static str)>,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    text: String,
}

/// An exception for some tensors (`[[override]]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Names as in `encodings/*.json`; `*` stands for any run of characters.
    pub tensor: String,
    /// Their integers: signed ones are for weights, unsigned ones for activations.
    #[serde(default, rename = "type")]
    pub bits: Option<WeightBits>,
    /// How the products that make them are written.
    #[serde(default)]
    pub products: Option<Products>,
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// The file cannot be read or is malformed TOML; it lacks samples; a type, goal or number is impossible; or the
    /// path of a sample's file leaves the recipe's folder.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(autoneural_base::text::read(path)?, path)
    }

    /// Checks a recipe from the text of its file. Paths of samples are relative to the folder of `path`.
    ///
    /// # Errors
    /// As for [`Recipe::read`], without those of reading the file.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use autoneural_core::encoding::IntegerType;
    /// use autoneural_core::program::Group;
    /// use autoneural_core::recipe::Recipe;
    ///
    /// # fn main() -> Result<(), autoneural_base::error::Error> {
    /// let text = r#"
    ///     schema = 2
    ///     name = "toy"
    ///     decode_steps = 2
    ///     [recipe.language]
    ///     weights = "int4"
    ///     activations = "uint16"
    ///     observer = "min-max"
    ///     [[calibration]]
    ///     image = "road.jpg"
    ///     prompt = "What is in the picture?"
    ///     [[verification]]
    ///     image = "car.jpg"
    ///     prompt = "Who is in the car?"
    /// "#;
    /// let recipe = Recipe::parse(text.into(), Path::new("toy.toml"))?;
    /// assert_eq!(recipe.part(&Group::new("language")?)?.weights, IntegerType::Int4.into());
    /// let wrong = text.replace("int4", "uint8");
    /// assert!(Recipe::parse(wrong, Path::new("toy.toml")).is_err()); // weights are signed
    /// # Ok(())
    /// # }
    /// ```
    pub fn parse(text: String, path: &Path) -> Result<Self> {
        let beside = Origin::beside(path);
        Self::compose(text, path, [&beside, &beside])
    }

    /// Checks a recipe from its text. `origins` are where the samples of calibration and of verification come from.
    ///
    /// # Errors
    /// As for [`Recipe::parse`].
    pub fn compose(text: String, path: &Path, origins: [&Origin; 2]) -> Result<Self> {
        let mut made = Self::unsettled(text, path)?;
        if made.calibration.is_empty() {
            return Err(made.error("calibration", "missing field `calibration`").help(
                "name at least one sample in `[[calibration]]`; samples of a model without words may also be given \
                 beside it, as `--recipe RECIPE.toml --calibration SAMPLES`",
            ));
        }
        made.check_steps().map_err(|(key, message)| made.error(&key, &message))?;
        let [calibration, verification] = origins;
        sample::settle(&mut made.calibration, made.schema, calibration, "calibration")?;
        match made.verification.is_empty() {
            true => made.split()?,
            false => sample::settle(&mut made.verification, made.schema, verification, "verification")?,
        }
        Ok(made)
    }

    /// Reads a recipe that states how to quantize and need not name samples. Samples that it has are not checked.
    ///
    /// # Errors
    /// As for [`Recipe::read`], but samples may be missing.
    pub fn without_samples(path: &Path) -> Result<Self> {
        Self::unsettled(autoneural_base::text::read(path)?, path)
    }

    /// The recipe with more exceptions behind those that it has: `more` is the text of `[[override]]` tables. Samples are
    /// the same, also those that were given beside it.
    ///
    /// # Errors
    /// The text is malformed, or the recipe writes its exceptions as one array, behind which no tables can stand.
    pub fn with_overrides(&self, more: &str) -> Result<Self> {
        let text = format!("{}\n\n{more}", self.text.trim_end());
        let made = Self::unsettled(text, &self.path)?;
        let (calibration, verification) = (self.calibration.clone(), self.verification.clone());
        Ok(Recipe { calibration, verification, notes: self.notes.clone(), ..made })
    }

    fn unsettled(text: String, path: &Path) -> Result<Self> {
        let mut made: Recipe = mistakes::read(&text, path, Recipe::check)?;
        (made.path, made.text) = (path.to_path_buf(), text);
        Ok(made)
    }

    /// Moves the last quarter of the calibration samples to verification, for a recipe without verification samples.
    /// All samples must be arrays. A single sample serves both purposes.
    fn split(&mut self) -> Result<()> {
        let all = self.calibration.len();
        if self.calibration.iter().any(|sample| sample.arrays().is_none()) {
            return Err(self
                .error("verification", "missing field `verification`")
                .help("name at least one sample in `[[verification]]`"));
        }
        let judging = (all / 4).max(1);
        const HELP: &str =
            "samples that judge only are given by --verification, or as `[[verification]]` in the recipe";
        if all == 1 {
            self.verification = self.calibration.clone();
            self.notes.push((
                "calibration",
                "the only sample calibrates and judges: figures are too good".into(),
                HELP,
            ));
            return Ok(());
        }
        self.verification = self.calibration.split_off(all - judging);
        let message = format!("the last {judging} of {all} calibration samples judge, and do not calibrate");
        self.notes.push(("calibration", message, HELP));
        Ok(())
    }

    /// What is impossible: keys, and why.
    fn check(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if !(1..=sample::CONVERSATIONS).contains(&self.schema) {
            let message = format!("schema {} is not known to this version, which reads schemas 1 and 2", self.schema);
            // Its other keys may mean something else.
            return vec![("schema".into(), message)];
        }
        for (group, part) in &self.parts {
            let of_group = |(key, message)| (format!("recipe.{}.{key}", group.name()), message);
            found.extend(part.check().into_iter().map(of_group));
        }
        for (index, exception) in self.overrides.iter().enumerate() {
            if exception.bits.is_some_and(|bits| bits.integer == IntegerType::Int32) {
                let message = "int32 is no type to choose; int4, int8 and int16 of weights and uint8 and uint16 of \
                               activations are";
                found.push((format!("override[{index}].type"), message.into()));
            }
            if exception.bits.is_some() == exception.products.is_some() {
                let message = "says either `type`, of weights and activations, or `products`, of what products make";
                found.push((format!("override[{index}]"), message.into()));
            }
        }
        for (name, preprocess) in &self.preprocess {
            let of_name = |(key, message)| (format!("preprocess.{name}.{key}"), message);
            found.extend(preprocess.check().err().map(of_name));
        }
        found.extend(self.goals.check().err());
        found
    }

    fn check_steps(&self) -> Result<(), (String, String)> {
        let has_prompts = self.calibration.iter().chain(&self.verification).any(|sample| sample.arrays().is_none());
        match self.steps {
            None if has_prompts => Err((STEPS.into(), format!("missing field `{STEPS}`"))),
            Some(_) if !has_prompts => Err((STEPS.into(), "there are no prompts that tokens could follow".into())),
            Some(steps) if !(1..=MOST_STEPS).contains(&steps) => {
                Err((STEPS.into(), format!("{steps} is impossible; 1 to {MOST_STEPS} are")))
            }
            _ => Ok(()),
        }
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many tokens are decoded greedily after each prompt; 0 if samples have no prompts.
    pub fn steps(&self) -> usize {
        self.steps.unwrap_or_default()
    }

    /// If statistics that were collected with this recipe do not suit another one, the place in the other recipe and
    /// the reason; `None` if they do. Observers, equalization, decoded steps, preprocessing and samples are compared,
    /// but not the contents of images.
    pub fn other_statistics(&self, other: &Recipe) -> Option<(String, String)> {
        let place = |key: &str| format!("{}: {key}", other.path.display());
        for (group, part) in &self.parts {
            let (calibrated, asked) = (Some(&part.observer), other.parts.get(group).map(|part| &part.observer));
            if calibrated != asked {
                let key = format!("recipe.{}.observer", group.name());
                return Some((place(&key), "is not the observer that `calibrate` ran with".into()));
            }
        }
        for (group, part) in &self.parts {
            if other.parts.get(group).is_some_and(|other| other.equalize != part.equalize) {
                let key = format!("recipe.{}.equalize", group.name());
                return Some((place(&key), "is not the equalization that `calibrate` ran with".into()));
            }
        }
        if self.steps != other.steps {
            let message = format!("is {}; `calibrate` ran with {}", other.steps(), self.steps());
            return Some((place(STEPS), message));
        }
        if let Some(name) = self
            .preprocess
            .keys()
            .chain(other.preprocess.keys())
            .find(|name| self.preprocess.get(*name) != other.preprocess.get(*name))
        {
            return Some((place(&format!("preprocess.{name}")), "is not what `calibrate` ran with".into()));
        }
        if self.calibration.len() != other.calibration.len() {
            let message =
                format!("has {} samples; `calibrate` ran with {}", other.calibration.len(), self.calibration.len());
            return Some((place("calibration"), message));
        }
        let differs = self.calibration.iter().zip(&other.calibration).find(|(one, other)| !one.asks_as(other));
        differs.map(|(_, sample)| (sample.place.clone(), "is not the sample that `calibrate` ran with".into()))
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Name of the file without its folder.
    pub fn file_name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Whether its prompts are raw text because its schema, 1, has no conversations.
    pub fn knows_no_conversations(&self) -> bool {
        self.schema < sample::CONVERSATIONS
    }

    /// How a group is quantized.
    ///
    /// # Errors
    /// The recipe has no table for the group: it was written for another program. [`Recipe::refuse_other_groups`] finds
    /// this before any work is done.
    pub fn part(&self, group: &Group) -> Result<&PartRecipe> {
        let part = self.parts.get(group);
        part.ok_or_else(|| self.error(&format!("recipe.{group}"), "is missing; it says how this group is quantized"))
    }

    /// Refuses a recipe that has a table for a group that the program does not have, or no table for one that it has.
    ///
    /// # Errors
    /// There is such a group; the error names the first one, and lists all groups of the program.
    pub fn refuse_other_groups(&self, groups: &[Group]) -> Result<()> {
        let listed: Vec<String> = groups.iter().map(|group| format!("`[recipe.{group}]`")).collect();
        let help = format!("the groups of the program are written as {}", listed.join(", "));
        if let Some(unknown) = self.parts.keys().find(|group| !groups.contains(group)) {
            return Err(self.error(&format!("recipe.{unknown}"), "is no group of the program").help(help));
        }
        match groups.iter().find(|group| !self.parts.contains_key(*group)) {
            Some(missing) => self.part(missing).map(drop).map_err(|error| error.help(help)),
            None => Ok(()),
        }
    }

    fn error(&self, key: &str, message: &str) -> Error {
        Error::input(format!("{}: {key}", self.path.display()), message)
    }

    /// The exceptions for tensors, in the order of the file.
    pub(crate) fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// The integers that an exception gives to a weight (`signed`) or an activation of this name; `None` if no
    /// exception fits.
    pub fn exception(&self, name: &str, signed: bool) -> Option<IntegerType> {
        self.exception_of(name, signed).map(|bits| bits.integer)
    }

    /// What an exception gives to a weight of this name; `None` if no exception fits.
    pub(crate) fn weights_exception(&self, name: &str) -> Option<WeightBits> {
        self.exception_of(name, true)
    }

    fn exception_of(&self, name: &str, signed: bool) -> Option<WeightBits> {
        let stated = self.overrides.iter().rev().filter_map(|exception| Some((&exception.tensor, exception.bits?)));
        let fits = |(tensor, bits): &(&String, WeightBits)| {
            bits.integer.is_signed() == signed && autoneural_base::text::glob(tensor, name)
        };
        stated.into_iter().find(fits).map(|(_, bits)| bits)
    }

    /// The exceptions for products, in the order of the file: what they make, and whether they are split.
    pub fn split_exceptions(&self) -> Vec<(String, bool)> {
        let of = |exception: &Override| Some((exception.tensor.clone(), exception.products? == Products::Split));
        self.overrides.iter().filter_map(of).collect()
    }

    /// The place of a key of a group, for messages.
    pub(crate) fn place_of(&self, group: &Group, key: &str) -> String {
        format!("{}: recipe.{group}.{key}", self.path.display())
    }

    /// The place of an exception in the file, for messages.
    pub(crate) fn place_of_override(&self, index: usize) -> String {
        format!("{}: override[{index}]", self.path.display())
    }

    /// Refuses goals of outputs that the model does not have.
    ///
    /// # Errors
    /// A goal is about an output that does not exist; the error names the goal and the recipe.
    pub fn refuse_idle_goals(&self, partitions: &[Partition]) -> Result<()> {
        self.goals.refuse_idle(partitions, &self.path.display().to_string())
    }

    /// Everything in the recipe that encodings depend on, as text: the same text gives the same encodings.
    pub fn bits(&self) -> String {
        // These come after the encodings and do not change them.
        let mut parts = self.parts.clone();
        for part in parts.values_mut() {
            (part.rounding, part.rounding_columns, part.bias_correction) = Default::default();
            (part.products, part.gelu) = Default::default();
        }
        let types = self.overrides.iter().filter(|exception| exception.bits.is_some()).collect::<Vec<_>>();
        format!("{parts:?} {types:?}")
    }

    /// Everything in the recipe that encodings and codes depend on, as text: the same text gives the same encodings and
    /// codes.
    pub fn quantization(&self) -> String {
        format!("{:?} {:?}", self.parts, self.overrides)
    }

    /// Paths of a sample's images, joined to the folder that they are relative to.
    pub fn image_paths(&self, sample: &Sample) -> Vec<PathBuf> {
        sample.images.iter().map(|image| sample.beside(image)).collect()
    }
}
