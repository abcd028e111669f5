//! What is evaluated, and how.

use super::slices::Slices;
use autoneural_engines::engine::EngineKind;

/// What is evaluated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Engines, float first where it is among them.
    pub kinds: Vec<EngineKind>,
    /// How many questions from the beginning of the set are asked; `None` for all.
    pub limit: Option<usize>,
    /// Whether every picture is replaced by a grey one: what is still right was guessed.
    pub blank: bool,
    /// Whether a slice of them is asked, or slices are joined.
    pub slices: Slices,
}
