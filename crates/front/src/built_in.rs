//! The definitions that are built into the program, and where the text of a definition is from.

use std::path::{Path, PathBuf};

use autoneural_base::error::Result;

/// Where the project has them, and their text.
pub(crate) const BUILT_IN: [(&str, &str); 4] = [
    ("graphs/autoneural-vl-1.5b.toml", include_str!("../../../graphs/autoneural-vl-1.5b.toml")),
    ("graphs/internvl2-2b.toml", include_str!("../../../graphs/internvl2-2b.toml")),
    ("graphs/autoneural-tiny.toml", include_str!("../../../graphs/autoneural-tiny.toml")),
    ("graphs/smollm2-135m.toml", include_str!("../../../graphs/smollm2-135m.toml")),
];

/// The definition of this name that is built into the program: where the project has it, and its text.
pub(crate) fn built_in(name: &str) -> Option<(&'static Path, &'static str)> {
    BUILT_IN
        .iter()
        .map(|(path, text)| (Path::new(*path), *text))
        .find(|(path, _)| path.file_stem() == Some(name.as_ref()))
}

/// Names of the definitions that are built into the program.
pub fn built_in_names() -> Vec<&'static str> {
    BUILT_IN.iter().filter_map(|(path, _)| Path::new(*path).file_stem()?.to_str()).collect()
}

/// Path and text of a definition: of a file, or of one that is built in and named without a path.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn text_of(path: &Path) -> Result<(PathBuf, String)> {
    if let Some((path, text)) = path.to_str().and_then(built_in) {
        return Ok((path.to_path_buf(), text.to_string()));
    }
    let text = autoneural_base::text::read(path).map_err(|error| match path.exists() || error.help.is_some() {
        true => error,
        false => {
            error.help(format!("give the path of a definition (.toml), or a name: {}", built_in_names().join(", ")))
        }
    })?;
    Ok((path.to_path_buf(), text))
}
