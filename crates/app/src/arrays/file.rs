//! What all files of arrays have in common.

use std::collections::BTreeMap;

use super::element::Kind;
use autoneural_base::error::{Error, Result};

/// Most elements of an array, or of the part of it that is one sample.
const MOST_ELEMENTS: usize = 1 << 30;

/// What a file says of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Its elements.
    pub kind: Kind,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
}

impl About {
    /// Bytes of the whole; none where they are more than a file can have.
    pub fn bytes(&self) -> Option<u64> {
        let count = self.shape.iter().try_fold(1u64, |all, &size| all.checked_mul(size as u64))?;
        count.checked_mul(self.kind.bytes() as u64)
    }
}

/// A file of arrays.
pub trait ArrayFile {
    /// What it holds, by name. The one array of a file that has no names is called ``.
    fn abouts(&self) -> &BTreeMap<String, About>;

    /// The elements of an array in row-major order, or of one place (the second of the two) of its first axis, which
    /// has so many (the first). They are no more than [`ArrayFile::abouts`] says.
    ///
    /// # Errors
    /// A file that ends too soon or is damaged.
    fn read(&mut self, name: &str, row: Option<(usize, usize)>) -> Result<Vec<u8>>;
}

/// How many bytes a part of an array has, before memory is taken for them.
pub fn part_bytes(place: &str, about: &About, row: Option<(usize, usize)>) -> Result<usize> {
    let whole: usize = about.shape.iter().product();
    let count = row.map_or(whole, |(rows, _)| whole / rows.max(1));
    match count {
        0..=MOST_ELEMENTS => Ok(count * about.kind.bytes()),
        _ => Err(Error::input(
            place,
            format!("is {:?}, more than the {MOST_ELEMENTS} elements that are read", about.shape),
        )),
    }
}
