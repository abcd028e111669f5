//! A text as tokens, cut into windows.

use super::plan::TextPlan;
use autoneural_base::error::Result;
use autoneural_bundle::{digest, hash_bytes};
use autoneural_host::Tokenizer;

/// A file as one row of tokens.
pub(crate) struct Text {
    /// Name of the file.
    pub name: String,
    /// SHA-256 of its contents.
    pub sha256: String,
    /// Its tokens; nothing stands before them.
    pub tokens: Vec<u32>,
    window: usize,
}

impl Text {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read or is no UTF-8, or that the tokenizer refuses.
    pub(crate) fn read(plan: &TextPlan, tokenizer: &Tokenizer) -> Result<Self> {
        let text = autoneural_base::text::read(&plan.text)?;
        let tokens = tokenizer.plain(&text).map_err(|error| error.within(plan.text.display()))?;
        let name = plan.text.file_name().map_or("text".into(), |name| name.to_string_lossy().into_owned());
        Ok(Text { name, sha256: hash_bytes(text.as_bytes()), tokens, window: plan.window })
    }

    /// Number of whole windows.
    pub(crate) fn windows(&self) -> usize {
        self.tokens.len() / self.window
    }

    /// The tokens of a window.
    pub(crate) fn window(&self, number: usize) -> &[u32] {
        &self.tokens[number * self.window..(number + 1) * self.window]
    }

    /// What identifies text and windows.
    pub(crate) fn key(&self) -> String {
        digest(["text", &self.sha256, &self.window.to_string()].into_iter())[..16].to_string()
    }
}
