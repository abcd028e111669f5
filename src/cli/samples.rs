//! Where samples are from, on the command line: one set of options for all commands that take some.

use std::path::PathBuf;

use autoneural::Result;
use autoneural::bundle::{Bundle, RECIPE};
use autoneural::drivers::{Takes, of_bundle};
use autoneural::recipe::Recipe;
use autoneural::samples::Given;
use clap::{Args, ValueHint};

use super::run::at_least_one;

/// Where samples are from.
#[derive(Args)]
pub struct SampleArgs {
    /// Recipe with samples and bits; or samples alone: a folder, a list (.txt), .npz, .npy, a picture, a raw file.
    #[arg(long, value_name = "SAMPLES", value_hint = ValueHint::AnyPath, required = true)]
    calibration: Option<PathBuf>,
    #[command(flatten)]
    more: MoreSamples,
}

/// The same where the bundle has a recipe already.
#[derive(Args)]
pub struct VerifyArgs {
    /// Recipe or samples, as `compile` took them; what of them judges is compared.
    #[arg(long, value_name = "SAMPLES", value_hint = ValueHint::AnyPath, required_unless_present = "verification")]
    calibration: Option<PathBuf>,
    #[command(flatten)]
    more: MoreSamples,
}

#[derive(Args)]
struct MoreSamples {
    /// Samples on which results are compared [default: those of the recipe, or the last quarter of the others].
    #[arg(long, value_name = "SAMPLES", value_hint = ValueHint::AnyPath)]
    verification: Option<PathBuf>,
    /// Recipe with bits, preprocessing and goals, where --calibration is none.
    #[arg(long, value_name = "RECIPE.toml", value_hint = ValueHint::FilePath)]
    recipe: Option<PathBuf>,
    /// Most samples that are taken of a folder, list or file, evenly spread [default: 16].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    samples: Option<usize>,
}

fn given(calibration: &Option<PathBuf>, more: &MoreSamples) -> Given {
    Given {
        calibration: calibration.clone(),
        verification: more.verification.clone(),
        recipe: more.recipe.clone(),
        most: more.samples,
    }
}

impl SampleArgs {
    /// What the user says.
    pub fn given(&self) -> Given {
        given(&self.calibration, &self.more)
    }

    /// The recipe. `what` tells the kind of samples that the program takes; it is called only if that matters.
    ///
    /// # Errors
    /// The recipe or the samples are missing, malformed, or not of the kind that the program takes.
    pub fn recipe(&self, what: impl FnOnce() -> Result<Takes>) -> Result<Recipe> {
        self.given().recipe(what)
    }
}

impl VerifyArgs {
    /// What the user says.
    pub fn given(&self) -> Given {
        given(&self.calibration, &self.more)
    }
}

/// The recipe for a bundle. `whole` is a recipe that was read before the bundle was opened. If only samples for
/// verification are given, everything else comes from the recipe in the bundle.
///
/// # Errors
/// As for [`SampleArgs::recipe`], or the recipe in the bundle is missing or unreadable.
pub fn recipe_for(bundle: &Bundle, given: &Given, whole: Option<Recipe>) -> Result<Recipe> {
    match whole {
        Some(recipe) => Ok(recipe),
        None if given.calibration.is_some() || given.recipe.is_some() => given.recipe(|| takes(bundle)),
        None => {
            let kept = Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?;
            given.for_verification(kept, || takes(bundle))
        }
    }
}

/// The kind of samples that the program of a bundle takes.
///
/// # Errors
/// The files of the bundle are missing or unreadable.
pub fn takes(bundle: &Bundle) -> Result<Takes> {
    Ok(of_bundle(bundle)?.takes(&bundle.partitions()?))
}
