//! A definition as it was read: the text goes into the bundle, so that what was changed by an option is kept.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::built_in::text_of;
use super::definition::Definition;
use autoneural_base::error::{Error, Result};

/// A definition with the text that states it.
pub struct DefinitionFile {
    /// The file it was read from.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// The same, read and checked.
    pub definition: Definition,
}

impl DefinitionFile {
    /// Reads a definition, by its path or by the name of one that is built in, with another image size if one is given:
    /// in pixels a side.
    ///
    /// # Errors
    /// As for [`Definition::read`]; the messages about the size name the file too.
    pub fn read(path: &Path, image_size: Option<usize>) -> Result<Self> {
        let (path, mut text) = text_of(path)?;
        let path = path.as_path();
        let mut definition = Definition::parse(&text, path)?;
        if let Some(side) = image_size {
            text = with_image_size(&text, path, side)?;
            definition = Definition::parse(&text, path)
                .map_err(|error| error.help(format!("--image-size {side} stands in place of the file's image_size")))?;
        }
        Ok(DefinitionFile { path: path.to_path_buf(), text, definition })
    }
}

/// The text of a definition with another number at `vision.image_size`; all else stays as it was written.
fn with_image_size(text: &str, path: &Path, side: usize) -> Result<String> {
    #[derive(Deserialize)]
    struct Sized {
        vision: Option<SizedVision>,
    }
    #[derive(Deserialize)]
    struct SizedVision {
        image_size: toml::Spanned<usize>,
    }
    let sized: Sized = toml::from_str(text).map_err(|error| autoneural_base::text::toml_error(path, text, &error))?;
    let Some(vision) = sized.vision else {
        let message = "has no vision encoder, whose pictures could have another size";
        return Err(Error::input(path.display(), message).help("leave out --image-size"));
    };
    let mut made = text.to_string();
    made.replace_range(vision.image_size.span(), &side.to_string());
    Ok(made)
}
