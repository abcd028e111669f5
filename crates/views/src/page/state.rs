//! How a bundle stands.

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    Well,
    Bad,
    Unknown,
}

impl State {
    /// Class in the page.
    pub fn class(self) -> &'static str {
        match self {
            State::Well => "well",
            State::Bad => "bad",
            State::Unknown => "unknown",
        }
    }

    /// Mark in Markdown.
    pub fn mark(self) -> &'static str {
        match self {
            State::Well => "✅",
            State::Bad => "❌",
            State::Unknown => "⚠️",
        }
    }
}
