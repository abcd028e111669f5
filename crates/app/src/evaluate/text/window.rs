//! A text as tokens, and one of its windows on an engine.

use super::Reader;
use super::plan::TextPlan;
use super::record::TextRecord;
use crate::evaluate::likelihood::log_softmax;
use autoneural_base::error::{Error, Result};
use autoneural_bundle::{digest, hash_bytes};
use autoneural_engines::engine::Engine;
use autoneural_host::{Codec, Sequence, Tokenizer, best, step_tokens};

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

/// Takes in a window, and judges all of its tokens but the first by what stands before them.
///
/// # Errors
/// The engine fails.
pub(crate) fn judge(reader: &Reader, engine: &mut dyn Engine, codec: Codec, tokens: &[u32]) -> Result<TextRecord> {
    let (partition, language) = (&reader.partition, &reader.definition.language);
    let embeds = reader.embeddings.look_up(tokens, language.tokens.image, &[])?;
    let logits = partition.outputs.iter().position(|port| port.meaning.main);
    let logits = logits.ok_or_else(|| Error::internal(&partition.name, "has no logits"))?;
    let encoding = codec.encoding(&partition.outputs[logits])?;
    let mut sequence = Sequence::new(language, codec);
    let mut made = TextRecord { log_probability: 0.0, chosen: Vec::with_capacity(tokens.len() - 1) };
    for chunk in embeds.chunks(step_tokens(partition) * language.hidden) {
        let (begun, count) = (sequence.position(), chunk.len() / language.hidden);
        let inputs = sequence.inputs(partition, chunk)?;
        let outputs = engine.run(&inputs)?;
        sequence.absorb(partition, &outputs, count)?;
        let real = outputs[logits].decode(encoding);
        let rows = real.as_f32()?.chunks_exact(language.vocabulary);
        // Nothing follows the last token of the window.
        for (row, &next) in rows.take(count).zip(&tokens[begun + 1..]) {
            made.log_probability += log_softmax(row, next);
            made.chosen.push(best(row));
        }
    }
    Ok(made)
}
