//! What all files of arrays have in common.

use std::collections::BTreeMap;

use super::element::Kind;
use autoneural_base::error::{Error, Result};

/// Most elements of an array, or of the part of it that is one sample.
const MOST_ELEMENTS: usize = 1 << 30;

/// The type and shape of an array in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Its elements.
    pub kind: Kind,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
}

impl About {
    /// Bytes of the whole; `None` if they are more than a file can have.
    pub fn bytes(&self) -> Option<u64> {
        let count = self.shape.iter().try_fold(1u64, |all, &size| all.checked_mul(size as u64))?;
        count.checked_mul(self.kind.bytes() as u64)
    }
}

/// A file of arrays.
pub trait ArrayFile {
    /// The arrays that it holds, by name. In a file without names the one array has an empty name.
    fn abouts(&self) -> &BTreeMap<String, About>;

    /// The bytes of an array's elements in row-major order, never more than [`ArrayFile::abouts`] states. With `row`,
    /// which is the size of the first axis and an index of it, only the elements at that index.
    ///
    /// # Errors
    /// A file that ends too soon or is damaged.
    fn read(&mut self, name: &str, row: Option<(usize, usize)>) -> Result<Vec<u8>>;
}

/// How many bytes an array has, or one of its rows, before memory is taken for it. `row` is the number of rows and
/// which of them it is.
///
/// # Errors
/// There are too many elements.
pub(crate) fn part_bytes(place: &str, about: &About, row: Option<(usize, usize)>) -> Result<usize> {
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
