//! Where things stand in a bundle.

/// The definition of a model of a built-in family.
pub const DEFINITION: &str = "model/definition.toml";
/// What lists all other files; a folder with it is a bundle.
pub const MANIFEST: &str = "manifest.json";
/// Statistics of every value.
pub const STATISTICS: &str = "calibration/statistics.json";
/// Statistics of what pictures go through: the first half of calibration, kept for runs that begin with the second.
pub const IMAGE_STATISTICS: &str = "calibration/.images.json";
/// What the images of calibration hold.
pub const IMAGES: &str = "calibration/images.json";
/// Embeddings of the pictures that were calibrated with, kept for the same.
pub const VISUAL: &str = "calibration/.visual.safetensors";
/// The recipe's copy.
pub const RECIPE: &str = "calibration/recipe.toml";
/// The report's file name.
pub const REPORT: &str = "report.json";
/// Start of the paths of golden vectors.
pub const GOLDEN: &str = "golden/";
/// What an evaluation keeps in a bundle.
pub const EVALUATION: &str = ".evaluation";
/// Name of the ledger's file.
pub const LEDGER: &str = ".ledger.json";
