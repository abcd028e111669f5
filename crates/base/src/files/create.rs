//! Names that stand for no file yet.

use std::fs::File;
use std::path::Path;

use crate::error::{IoContext, Result};

/// Creates a file that is not there yet.
///
/// # Errors
/// Something of this name, be it a link that leads nowhere.
pub fn create(path: &Path) -> Result<File> {
    File::options().write(true).create_new(true).open(path).at(path)
}

/// The folder that a name stands in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
