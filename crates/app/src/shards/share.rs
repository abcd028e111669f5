//! Shares of a list: consecutive entries, as even as can be.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use autoneural_base::error::{Error, Result};

/// Most shares of a list.
const MOST: usize = 100_000;

/// One of several shares of a list, written `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Share {
    number: usize,
    of: usize,
}

impl Share {
    /// Its number, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many shares there are.
    pub fn of(self) -> usize {
        self.of
    }

    /// The entries of a list of this length that are in it.
    ///
    /// # Errors
    /// There are more shares than entries; `what` names these.
    pub fn range(self, length: usize, what: &str) -> Result<Range<usize>> {
        if self.of > length {
            let message = format!("there are {length} {what}, too few for {} shares", self.of);
            return Err(Error::input(self.to_string(), message).help(format!("take {length} shares at most")));
        }
        // Neither product overflows: both factors are of lists in memory, or small.
        Ok((self.number - 1) * length / self.of..self.number * length / self.of)
    }
}

/// Refuses what are not all shares of one division, each once. Each comes with the folder that it is in, and they may be
/// in any order; `noun` names them (`shard`), `place` and `help` are those of the error about shares that are missing.
///
/// # Errors
/// Shares of two divisions, a share twice, a share that is missing.
pub(crate) fn refuse_gaps(found: &[(Share, PathBuf)], noun: &str, place: &str, help: &str) -> Result<()> {
    let mut found: Vec<&(Share, PathBuf)> = found.iter().collect();
    found.sort_by_key(|(share, _)| share.number);
    let Some((first, _)) = found.first() else { return Ok(()) };
    for pair in found.windows(2) {
        let [(before, one), (share, other)] = pair else { continue };
        let (one, other) = (one.display(), other.display());
        if share.of != before.of {
            let message = format!("is {noun} {share}, and {one} is {noun} {before}");
            return Err(Error::input(other, message).help("name those of one division"));
        }
        if share == before {
            let message = format!("is {noun} {share}, as {one} is");
            return Err(Error::input(other, message).help(format!("name every {noun} once")));
        }
    }
    let is_there = |number: &usize| found.iter().any(|(share, _)| share.number == *number);
    let missing: Vec<String> =
        (1..=first.of).filter(|number| !is_there(number)).map(|number| format!("{number}/{}", first.of)).collect();
    match &missing[..] {
        [] => Ok(()),
        [one] => Err(Error::input(place, format!("{noun} {one} is missing")).help(help)),
        [before @ .., last] => {
            let message = format!("{noun}s {} and {last} are missing", before.join(", "));
            Err(Error::input(place, message).help(help))
        }
    }
}

/// Refuses a place where something else is than a part, which is replaced. `list` is the file that every part has.
///
/// # Errors
/// Something else is there.
pub(crate) fn refuse_taken(out: &Path, list: &str) -> Result<()> {
    match out.symlink_metadata().is_ok() && !out.join(list).is_file() {
        true => Err(Error::input(out.display(), format!("exists and is no part (it has no {list})"))
            .help("only parts are replaced; choose another folder with --part")),
        false => Ok(()),
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) && of <= MOST => Ok(Share { number, of }),
            _ => Err(format!("`{text}` is no share; 1/4 to 4/4 are those of four, and {MOST} are the most")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_all_of_a_list_in_order_and_about_even() {
        for (length, of) in [(7, 3), (4, 4), (100, 7), (1, 1)] {
            let shares = (1..=of).map(|number| format!("{number}/{of}").parse::<Share>().unwrap());
            let ranges: Vec<_> = shares.map(|share| share.range(length, "samples").unwrap()).collect();
            assert!(ranges.iter().cloned().flatten().eq(0..length), "{ranges:?}");
            assert!(ranges.iter().all(|range| range.len().abs_diff(length / of) <= 1), "{ranges:?}");
        }
        let said = "2/3".parse::<Share>().unwrap().range(2, "samples").unwrap_err().to_string();
        assert!(said.contains("2/3: there are 2 samples, too few for 3 shares"), "{said}");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "1/18446744073709551615"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Share>("\"2/4\"").unwrap().to_string(), "2/4");
    }
}
