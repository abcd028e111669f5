//! How the prompts of samples were made.

use serde::{Deserialize, Serialize};

/// How the prompts behind a report were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptsReport {
    /// Those of the ranges.
    pub calibration: PromptCounts,
    /// Those of the figures.
    pub verification: PromptCounts,
}

/// Numbers of prompts by how they were made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptCounts {
    /// Conversations that went through the checkpoint's chat template, as the questions of `run` do.
    pub template: usize,
    /// Conversations whose messages stand one after the other, for want of a chat template; `run` does the same.
    pub no_template: usize,
    /// Texts that were taken as they stand.
    pub raw: usize,
}
