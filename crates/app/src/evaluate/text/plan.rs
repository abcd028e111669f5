//! Which windows of which text are measured, and on which engines.

use std::ops::Range;
use std::path::PathBuf;

use crate::evaluate::slices::Slices;
use autoneural_base::error::{Error, Result};
use autoneural_core::partition::Partition;
use autoneural_core::recipe::Windows;
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
    /// Whether a slice of them is measured, or slices are joined.
    pub slices: Slices,
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
        let all = match self.windows {
            Some(Windows { end, .. }) if end > count => {
                let message = format!("has {count} whole windows of {} tokens, not {end}", self.window);
                return Err(Error::input(place, message));
            }
            Some(Windows { start, end }) => start..end,
            None => 0..count,
        };
        let own = self.slices.range(all.len(), "windows")?;
        Ok(all.start + own.start..all.start + own.end)
    }
}
