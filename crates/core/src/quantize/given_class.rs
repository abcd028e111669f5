//! The encoding that is given for a class of tied values.

use super::entry::Entry;
use crate::encoding::{Encoding, IntegerType};
use autoneural_base::error::Result;

/// The encoding given for a class of tied values.
pub(crate) struct GivenClass {
    /// What is given.
    pub entry: Entry,
    /// Whether it is taken whatever the recipe says.
    pub is_kept: bool,
}

impl GivenClass {
    /// Its integers.
    pub fn integer(&self) -> IntegerType {
        self.entry.encoding.integer
    }

    /// The file that it is from.
    pub fn file(&self) -> &str {
        &self.entry.file
    }

    /// The encoding, if it has these integers; one that is kept has whatever integers it has.
    ///
    /// # Errors
    /// It has other integers than `wanted`.
    pub fn encoding(&self, wanted: IntegerType) -> Result<Encoding> {
        if self.is_kept {
            return Ok(self.entry.encoding.clone());
        }
        refuse_other_integer(&self.entry.encoding, wanted).map_err(|message| self.entry.error(message))?;
        Ok(self.entry.encoding.clone())
    }
}

pub(crate) fn refuse_other_integer(given: &Encoding, wanted: IntegerType) -> Result<(), String> {
    match given.integer == wanted {
        true => Ok(()),
        false => Err(format!("is {}, the recipe wants {}", given.integer.name(), wanted.name())),
    }
}
