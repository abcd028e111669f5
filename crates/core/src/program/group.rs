//! Groups: graphs that are calibrated together and share weights.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use autoneural_base::error::{Error, Result};

/// Most bytes of a name, which is part of file names.
const LONGEST: usize = 64;

/// The name of a group of graphs that are calibrated together and share weights. Recipes have a table for it
/// (`[recipe.NAME]`), and it is part of file names (`NAME.data`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Group(Arc<str>);

impl Group {
    /// A group of this name: ASCII letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// The name has other characters, is empty, or has more than 64 bytes.
    pub fn new(name: &str) -> Result<Self> {
        let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match !name.is_empty() && name.len() <= LONGEST && name.bytes().all(is_taken) {
            true => Ok(Group(name.into())),
            false => Err(Error::input(format!("`{name}`"), "is no name of a group")
                .help(format!("letters, digits, `-` and `_` are, up to {LONGEST}"))),
        }
    }

    /// A group whose name is written in the source code, and so is known to be valid.
    pub fn fixed(name: &'static str) -> Self {
        debug_assert!(Group::new(name).is_ok(), "{name}");
        Group(name.into())
    }

    /// The group of a graph, by the graph's name, which is `GROUP` or `GROUP.REST`.
    ///
    /// # Errors
    /// The name does not begin with a valid group name.
    pub fn of_graph(name: &str) -> Result<Self> {
        Group::new(name.split('.').next().unwrap_or_default())
    }

    /// Its name, as in recipes and file names.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether a file of a bundle belongs to this group or to one of its graphs, by its file name.
    pub fn owns(&self, file: &str) -> bool {
        file.strip_prefix(&*self.0).is_some_and(|rest| rest.starts_with('.'))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Group {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Group {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        Group::new(&name).map_err(|error| format!("{} {}", error.place, error.message))
    }
}

impl From<Group> for String {
    fn from(group: Group) -> String {
        group.name().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_called_by_what_files_can_be_called_by() {
        for name in ["", "a.b", "../a", "a/b", "ä", " a", &"a".repeat(65)] {
            assert!(Group::new(name).is_err(), "{name}");
            assert!(serde_json::from_value::<Group>(name.into()).is_err(), "{name}");
        }
        let group = Group::new("language").unwrap();
        assert_eq!(serde_json::to_value(&group).unwrap(), "language");
        assert!(group.owns("language.data") && group.owns("language.prefill.json"));
        assert!(!group.owns("languages.data") && !group.owns("language"));
    }
}
