//! Windows of a text file: stretches of its tokens, one behind the other.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A range of windows: from the first, counted from 0, to the one before `end`. It is written as `40..50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Windows {
    /// The first.
    pub start: usize,
    /// The one behind the last.
    pub end: usize,
}

/// One window of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window<'a> {
    /// The file, in UTF-8, relative to the recipe.
    pub file: &'a Path,
    /// Its tokens.
    pub tokens: usize,
    /// How many windows of as many tokens stand before it.
    pub number: usize,
}

impl FromStr for Windows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once("..").and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
        match ends {
            Some((start, end)) if start < end => Ok(Windows { start, end }),
            Some(_) => Err(format!("{text} holds no window; 40..50 are the ten windows from 40 to 49")),
            None => Err("two numbers are wanted, as in 40..50, which are the windows from 40 to 49".into()),
        }
    }
}

impl TryFrom<String> for Windows {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Windows> for String {
    fn from(windows: Windows) -> Self {
        windows.to_string()
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_windows_are_read_as_they_are_written() {
        let windows: Windows = "40..50".parse().unwrap();
        assert_eq!((windows.start, windows.end, windows.to_string().as_str()), (40, 50, "40..50"));
        assert_eq!(serde_json::to_string(&windows).unwrap(), "\"40..50\"");
        for wrong in ["", "4", "4..", "..4", "4..4", "5..4", "-1..4", "a..b"] {
            assert!(wrong.parse::<Windows>().is_err(), "{wrong}");
        }
    }
}
