//! Where things stand in a bundle.

/// The definition of a model of a built-in family.
pub const DEFINITION: &str = "model/definition.toml";
/// What lists all other files; a folder with it is a bundle.
pub const MANIFEST: &str = "manifest.json";
/// Statistics of every value.
pub const STATISTICS: &str = "calibration/statistics.json";
/// What the files of the calibration's samples hold.
pub const INPUTS: &str = "calibration/images.json";
/// The recipe's copy.
pub const RECIPE: &str = "calibration/recipe.toml";
/// The report's file name.
pub const REPORT: &str = "report.json";
/// Start of the paths of golden vectors.
pub const GOLDEN: &str = "golden/";
/// Start of the paths of codes.
pub const CODES: &str = "codes/";
/// Start of the paths of graphs and float models that were rewritten with evidence; they stand for those of export.
pub const EQUALIZED: &str = "equalized/";
/// What an evaluation keeps in a bundle.
pub const EVALUATION: &str = ".evaluation";
/// Name of the ledger's file.
pub const LEDGER: &str = ".ledger.json";
