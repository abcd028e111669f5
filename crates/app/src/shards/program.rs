//! The program that is running, as parts and slices name it.

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_base::version::VERSION;
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

/// Refuses what another version of the program made, or another build of it than `own`: their last bits may differ.
///
/// # Errors
/// It was made by another one; `again` says how it is made again.
pub(crate) fn refuse_other_program(place: &Path, made_by: (&str, &str), own: &str, again: &str) -> Result<()> {
    let (version, build) = made_by;
    let differs = match (version == VERSION, build == own) {
        (true, true) => return Ok(()),
        (false, _) => format!("version {version} of the program, this is {VERSION}"),
        (true, false) => "another build of the program".to_string(),
    };
    Err(Error::input(place.display(), format!("was made by {differs}")).help(again))
}
