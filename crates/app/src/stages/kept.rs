//! What phases of calibration keep for later ones.

/// Path in the bundle of a file that a phase kept, by its name.
pub(crate) fn kept_file(name: &str) -> String {
    format!("calibration/{name}")
}
