//! Which windows of which text are measured, and on which engines.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use autoneural_base::error::{Error, Result};
use autoneural_core::partition::Partition;
use autoneural_engines::engine::EngineKind;
use autoneural_front::Language;
use autoneural_host::step_tokens;

/// Fewest tokens of a window: the first is not judged, since nothing stands before it.
const FEWEST: usize = 2;

/// What is measured.
#[derive(Debug, Clone)]
pub struct TextPlan {
    /// The file, in UTF-8.
    pub text: PathBuf,
    /// Tokens of a window.
    pub window: usize,
    /// Which of its windows; `None` for all.
    pub windows: Option<Windows>,
    /// Engines, float first where it is among them.
    pub kinds: Vec<EngineKind>,
}

/// A range of windows: from the first, counted from 0, to the one before `end`. It is written as `40..50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// The first.
    pub start: usize,
    /// The one behind the last.
    pub end: usize,
}

impl FromStr for Windows {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let ends = text.split_once("..").and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
        match ends {
            Some((start, end)) if start < end => Ok(Windows { start, end }),
            Some(_) => Err(format!("{text} holds no window; 40..50 are the ten windows from 40 to 49")),
            None => Err("two numbers are wanted, as in 40..50, which are the windows from 40 to 49".into()),
        }
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl TextPlan {
    /// Refuses windows that the model cannot take in by chunks.
    ///
    /// # Errors
    /// A window that is too short or too long.
    pub(crate) fn refuse_unfit(&self, partition: &Partition, language: &Language) -> Result<()> {
        let (window, step) = (self.window, step_tokens(partition));
        if window < FEWEST {
            return Err(Error::input("window", format!("{window} tokens hold none to judge; {FEWEST} are the fewest")));
        }
        let most = language.context / step * step;
        if window > most {
            let message = format!(
                "{window} tokens do not fit: prefill takes {step} at once, {most} of the context of {}",
                language.context
            );
            return Err(Error::input("window", message).help("choose a shorter window"));
        }
        Ok(())
    }

    /// The windows that are measured, of so many.
    ///
    /// # Errors
    /// The text has fewer.
    pub(crate) fn chosen(&self, count: usize) -> Result<Range<usize>> {
        let place = self.text.display();
        if count == 0 {
            return Err(Error::input(place, format!("has no whole window of {} tokens", self.window)));
        }
        match self.windows {
            Some(Windows { end, .. }) if end > count => {
                Err(Error::input(place, format!("has {count} whole windows of {} tokens, not {end}", self.window)))
            }
            Some(Windows { start, end }) => Ok(start..end),
            None => Ok(0..count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_windows_are_read_as_they_are_written() {
        let windows: Windows = "40..50".parse().unwrap();
        assert_eq!((windows.start, windows.end, windows.to_string().as_str()), (40, 50, "40..50"));
        for wrong in ["", "4", "4..", "..4", "4..4", "5..4", "-1..4", "a..b"] {
            assert!(wrong.parse::<Windows>().is_err(), "{wrong}");
        }
    }
}
