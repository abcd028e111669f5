//! Keys of units of work: what they read.

use super::hash::digest;

/// Everything that a unit of work reads: files by their SHA-256, settings as text. The same key means the same result.
#[derive(Debug, Clone, Default)]
pub struct Key(Vec<String>);

impl Key {
    /// An empty key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds something that is read.
    pub fn and(mut self, what: &str, value: impl Into<String>) -> Self {
        self.0.extend([what.to_string(), value.into()]);
        self
    }

    /// Adds a setting, as `{:?}` prints it.
    pub fn setting(self, what: &str, value: &impl std::fmt::Debug) -> Self {
        self.and(what, format!("{value:?}"))
    }

    /// The key as a SHA-256.
    pub fn digest(&self) -> String {
        digest(self.0.iter().map(String::as_str))
    }
}
