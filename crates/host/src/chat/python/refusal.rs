//! Why a template cannot be parsed or rendered.

use minijinja::ErrorKind;
use serde::{Deserialize, Serialize};

use super::globals::Raised;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The template raised it itself.
    Raised,
    /// It takes too many steps.
    Endless,
    /// A fault of the template.
    Fault,
}

/// Why a template cannot be parsed or rendered.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Line of the template, from 1.
    pub line: Option<usize>,
    /// The reason.
    pub message: String,
    /// The kind of it.
    pub why: Why,
}

impl Refusal {
    /// For a line.
    pub(crate) fn at(line: usize, message: impl Into<String>) -> Self {
        Refusal { line: Some(line), message: message.into(), why: Why::Fault }
    }

    /// For an error of the engine.
    pub(crate) fn of(error: &minijinja::Error) -> Self {
        let message = error.detail().map(String::from).unwrap_or_else(|| error.kind().to_string());
        let raised = std::error::Error::source(error).is_some_and(|source| source.is::<Raised>());
        let why = match error.kind() {
            _ if raised => Why::Raised,
            ErrorKind::OutOfFuel => Why::Endless,
            _ => Why::Fault,
        };
        Refusal { line: error.line(), message, why }
    }
}
