//! What is evaluated, and how.

use autoneural_engines::engine::EngineKind;

/// What is evaluated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Engines, float first where it is among them.
    pub kinds: Vec<EngineKind>,
    /// Questions from the beginning of the set; all if none.
    pub limit: Option<usize>,
    /// Whether every picture is replaced by a grey one: what is still right was guessed.
    pub blank: bool,
}
