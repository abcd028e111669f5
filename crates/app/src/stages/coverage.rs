//! How far the runs of calibration agree about ranges, in a file for each phase.

use crate::drivers::{Phase, of_bundle};
use autoneural_base::error::Result;
use autoneural_bundle::Bundle;
use autoneural_core::evidence::CoverageTable;

/// What the paths of these files begin with.
const BEGINNING: &str = "calibration/coverage.";

/// The file of a phase.
pub(super) fn coverage_of(phase: &Phase) -> String {
    format!("{BEGINNING}{}.json", phase.name)
}

/// Whether a file of the bundle, by its path, is one of them.
pub(super) fn is_coverage(path: &str) -> bool {
    path.starts_with(BEGINNING)
}

/// What all phases left, as far as they have run. Versions before left nothing.
///
/// # Errors
/// A file that is damaged.
pub fn coverage(bundle: &Bundle) -> Result<CoverageTable> {
    let mut made = CoverageTable::default();
    for phase in of_bundle(bundle)?.phases() {
        let path = coverage_of(&phase);
        if bundle.has_file(&path) {
            made.extend(bundle.json(&path)?);
        }
    }
    Ok(made)
}
