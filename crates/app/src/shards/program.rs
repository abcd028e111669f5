//! The program that is running, as parts and slices name it.

use std::path::Path;

use autoneural_base::error::Result;
use autoneural_base::files;
use autoneural_bundle::hash_of;

/// Its file, even if that was replaced since.
const PROGRAM: &str = "/proc/self/exe";

/// SHA-256 of the program: another build of it may compute other last bits.
///
/// # Errors
/// The program's own file cannot be read.
pub(crate) fn own_build() -> Result<String> {
    let path = Path::new(PROGRAM);
    hash_of(&files::open(path)?, path)
}
