//! Warnings: what a person should know of a result that is nevertheless whole. They stay with the bundle, so that they
//! stand in its report and in the output of `--json`, and not only on the terminal of whoever made it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shown::in_line;

/// Something that changes what a result means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The stage that found it, as the command of the stage.
    pub stage: String,
    /// Where: a file, a tensor, a key.
    pub place: String,
    /// What it is.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Warning {
    /// A warning of a stage.
    pub fn new(stage: &str, place: impl fmt::Display, message: impl fmt::Display) -> Self {
        Warning { stage: stage.into(), place: place.to_string(), message: message.to_string(), help: None }
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The warning in one line, for a page.
    pub fn line(&self) -> String {
        let help = self.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("Warning: {}: {}{help}.", self.place, self.message)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning: {}: {}", in_line(&self.place), in_line(&self.message))?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {}", in_line(help)),
            None => Ok(()),
        }
    }
}
