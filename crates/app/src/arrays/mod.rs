//! Files of arrays. A header says what a file holds; of the samples that are stacked in it one is read at a time.

mod element;
mod file;
mod npy;
mod npz;
mod raw;
mod rows;
mod safetensors;

pub use element::convert;
pub use file::{About, ArrayFile};
pub use raw::raw;
pub use rows::Rows;

use std::path::Path;

use autoneural_base::error::Result;

/// Kinds of files, by the ends of their names.
pub const ENDS: [&str; 3] = ["safetensors", "npz", "npy"];

/// The array of right classes that may stand beside the inputs of samples; where it is no input, it is none.
pub const LABELS: &str = "labels";

/// Opens a file of arrays. Its kind is told by the end of its name.
///
/// # Errors
/// Another kind of file, one that is damaged, or an array of elements that are no numbers.
pub fn open(path: &Path) -> Result<Box<dyn ArrayFile>> {
    let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
    match end.as_deref() {
        Some("npz") => Ok(Box::new(npz::Npz::open(path)?)),
        Some("npy") => Ok(Box::new(npy::Npy::open(path)?)),
        _ => Ok(Box::new(safetensors::Tensors::open(path)?)),
    }
}
